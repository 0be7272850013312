"""A file is replaced as a whole or not at all, and a private one is never readable by others."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dentasam.atomic_write import write_atomically


def test_replaces_the_file_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    path.write_text("old")
    with write_atomically(path, durable=True) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"
        assert draft.parent == tmp_path
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["kept.json"]


def test_keeps_the_old_file_after_an_exception(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    path.write_text("old")

    def failing() -> None:
        with write_atomically(path) as draft:
            draft.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["kept.json"]


@pytest.mark.parametrize("name", ["n" * 255, "ü" * 127, "n" * 201])
def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path: Path, name: str) -> None:
    with write_atomically(tmp_path / name) as draft:
        draft.write_text("new")
    assert (tmp_path / name).read_text() == "new"
    assert os.listdir(tmp_path) == [name]


@pytest.mark.skipif(os.name == "nt", reason="access rights of POSIX")
def test_a_private_file_is_its_owners_from_the_first_byte(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    with write_atomically(path, private=True) as draft:
        assert stat.S_IMODE(draft.stat().st_mode) == 0o600
        draft.write_text("new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name == "nt", reason="symbolic links of POSIX")
def test_never_writes_through_a_link_in_the_place_of_the_draft(tmp_path: Path) -> None:
    path, victim = tmp_path / "kept", tmp_path / "victim"
    victim.write_text("untouched")
    with write_atomically(path) as draft:
        place = draft
        draft.write_text("first")
    place.symlink_to(victim)
    with write_atomically(path, private=True) as draft:
        assert draft == place
        draft.write_text("new")
    assert victim.read_text() == "untouched"
    assert path.read_text() == "new"


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_text("old")
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from dentasam.atomic_write import write_atomically\n"
        "with write_atomically(Path(sys.argv[1])) as draft:\n"
        "    draft.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
