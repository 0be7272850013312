"""Which picture a file holds, whatever was done to hide that it was replaced."""

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dentasam.errors import ImageError
from dentasam.labelling.workspace import file_hashes
from dentasam.labelling.workspace.file_hashes import FileHashes, check_same_size
from dentasam.labelling.workspace.workspace import Workspace

from ..conftest import case_image


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(b"before")
    return path


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was read in full."""
    seen: list[str] = []
    digest = hashlib.file_digest

    def spy(file: Any, name: str) -> Any:
        seen.append(Path(file.name).name)
        return digest(file, name)

    monkeypatch.setattr(file_hashes.hashlib, "file_digest", spy)  # type: ignore[attr-defined]
    return seen


def later(monkeypatch: pytest.MonkeyPatch, seconds: float = 3600) -> None:
    """The clock by which a change is long ago."""
    monkeypatch.setattr(file_hashes.time, "time_ns", lambda: time.monotonic_ns() + 2**62)  # type: ignore[attr-defined]


def test_a_file_that_rests_is_read_once(path: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    later(monkeypatch)
    files = FileHashes()
    assert [files.of(path) for _ in range(3)] == [sha256(b"before")] * 3
    assert hashed == ["a.png"]


def test_a_file_that_just_changed_is_read_again_since_clocks_tick_slowly(path: Path, hashed: list[str]) -> None:
    files = FileHashes()
    assert files.of(path) == files.of(path) == sha256(b"before")
    assert hashed == ["a.png", "a.png"]


def test_neither_date_nor_size_hide_a_change(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, before = FileHashes(), path.stat()
    later(monkeypatch)
    assert files.of(path) == sha256(b"before")
    # Beyond a tick of the file system's clock.
    time.sleep(0.05)
    path.write_bytes(b"after!")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert files.of(path) == sha256(b"after!")


def test_a_link_is_the_file_it_leads_to(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later(monkeypatch)
    other, link = path.with_name("other.png"), path.with_name("link.png")
    other.write_bytes(b"after!")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    link.symlink_to(path)
    files = FileHashes()
    assert files.of(link) == sha256(b"before")
    link.unlink()
    link.symlink_to(other)
    assert files.of(link) == sha256(b"after!")


def test_a_file_that_becomes_a_link_out_of_the_folder_is_not_read(path: Path, tmp_path: Path) -> None:
    folder, secret = tmp_path / "scans", tmp_path / "secret.png"
    folder.mkdir()
    secret.write_bytes(b"secret")
    Image.new("L", (8, 6)).save(folder / "a.png")
    with Workspace.open(folder) as workspace:
        files, (image,) = FileHashes(workspace.bounds), workspace.images
    found = files.of(image.path)
    image.path.rename(folder / "b.png")
    image.path.symlink_to("b.png")
    assert files.of(image.path) == found
    image.path.unlink()
    image.path.symlink_to(secret)
    with pytest.raises(OSError, match="it is now a link to a file outside of the folder"):
        files.of(image.path)
    with Workspace.open(folder, follow_links=True) as workspace:
        assert FileHashes(workspace.bounds).of(image.path) == sha256(b"secret")


def test_a_touched_file_is_the_same_picture(path: Path) -> None:
    files = FileHashes()
    before = files.of(path)
    os.utime(path, ns=(1, 1))
    assert files.of(path) == before


def test_a_file_that_is_gone(path: Path) -> None:
    files = FileHashes()
    files.of(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        files.of(path)


def test_the_size_of_a_case_is_kept() -> None:
    image = case_image("deep/a.png", 60, 40)
    check_same_size(image, 40, 60)
    with pytest.raises(ImageError, match=r"deep/a\.png is now another picture of 40x60 pixels.*60x40; put the old"):
        check_same_size(image, 60, 40)
