"""The token and the port that a restart keeps."""

import json
import os
import stat
from pathlib import Path

import pytest

from dentasam.errors import WorkspaceError
from dentasam.labelling.auth.kept_address import FILE_NAME, KeptAddress


def test_a_restart_has_the_same_token_and_port(tmp_path: Path) -> None:
    first = KeptAddress.of(tmp_path)
    assert first.port is None
    assert len(first.token) >= 43
    first.keep(tmp_path, 8123)
    assert KeptAddress.of(tmp_path) == KeptAddress(first.token, 8123)


def test_a_new_token_keeps_the_port(tmp_path: Path) -> None:
    first = KeptAddress.of(tmp_path)
    first.keep(tmp_path, 8123)
    other = KeptAddress.of(tmp_path, new=True)
    assert other.token != first.token
    assert other.port == 8123
    other.keep(tmp_path, 8123)
    assert KeptAddress.of(tmp_path) == other


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    KeptAddress.of(tmp_path).keep(tmp_path, 1)
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"token": "short", "port": 8765}',
        json.dumps({"token": "x" * 43 + "\n", "port": 8765}),
        json.dumps({"token": "x" * 43, "port": "8765"}),
        json.dumps({"token": "x" * 43, "port": 70000}),
        json.dumps({"token": "x" * 43, "port": True}),
    ],
)
def test_a_damaged_file_gives_a_new_token(tmp_path: Path, text: str) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(text)
    path.chmod(0o600)
    found = KeptAddress.of(tmp_path)
    assert found.port is None
    assert "x" * 43 not in found.token


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604])
def test_a_token_that_others_could_read_is_not_used(tmp_path: Path, mode: int) -> None:
    first = KeptAddress.of(tmp_path)
    first.keep(tmp_path, 8123)
    (tmp_path / FILE_NAME).chmod(mode)
    assert KeptAddress.of(tmp_path).token != first.token


def test_a_link_is_neither_read_nor_written_through(tmp_path: Path) -> None:
    elsewhere, root = tmp_path / "elsewhere.json", tmp_path / "root"
    root.mkdir()
    planted = {"token": "planted-" + "x" * 43, "port": 8123}
    elsewhere.write_text(json.dumps(planted))
    elsewhere.chmod(0o600)
    (root / FILE_NAME).symlink_to(elsewhere)
    found = KeptAddress.of(root)
    assert found.token != planted["token"]
    found.keep(root, 8124)
    assert json.loads(elsewhere.read_text()) == planted
    assert not (root / FILE_NAME).is_symlink()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"entrance\.json cannot be written"):
        KeptAddress.of(tmp_path).keep(tmp_path / "gone", 8123)


@pytest.mark.parametrize("size", [4097, 1 << 30])
def test_a_file_that_is_too_large_is_named_and_not_read(tmp_path: Path, size: int) -> None:
    path = tmp_path / FILE_NAME
    with path.open("wb") as file:
        file.truncate(size)
    path.chmod(0o600)
    for new in (False, True):
        with pytest.raises(WorkspaceError, match=r"entrance\.json is larger than 4,096 bytes.*; delete it$"):
            KeptAddress.of(tmp_path, new=new)
    assert path.stat().st_size == size


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE_NAME, 0o600)
    assert KeptAddress.of(tmp_path).port is None
