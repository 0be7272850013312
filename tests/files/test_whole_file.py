"""What has the name of a new file is replaced, never written into."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dentasam.files import atomic_write
from dentasam.files.regular_file import NotRegularError, without_link
from dentasam.files.whole_file import copy_whole, write_whole


def _copied(path: Path) -> None:
    source = path.parent / "source"
    source.write_bytes(b"new")
    copy_whole(source, path)


WRITERS = {"write": lambda path: write_whole(path, b"new"), "copy": _copied}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["link", "hard link"])
def test_a_link_is_replaced(
    tmp_path: Path, write: Callable[[Path], None], link: Callable[[Path, Path], None]
) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    link(tmp_path / "victim", tmp_path / "a.png")
    write(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"new"
    assert not (tmp_path / "a.png").is_symlink()
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_link_that_somebody_puts_there_meanwhile_is_not_followed(
    tmp_path: Path, write: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    draft_of = atomic_write.draft_of

    class Raced:
        def __init__(self, path: Path) -> None:
            self.context = draft_of(path)

        def __enter__(self) -> Path:
            draft = self.context.__enter__()
            draft.symlink_to(tmp_path / "victim")
            return draft

        def __exit__(self, *error: object) -> bool | None:
            return self.context.__exit__(*error)  # type: ignore[arg-type]

    monkeypatch.setattr(atomic_write, "draft_of", Raced)
    with pytest.raises(FileExistsError):
        write(tmp_path / "a.png")
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert not (tmp_path / "a.png").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_is_neither_waited_for_nor_written_into(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotRegularError):
        copy_whole(tmp_path / "pipe", tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
    write_whole(tmp_path / "pipe", b"new")
    assert (tmp_path / "pipe").read_bytes() == b"new"


def test_a_file_that_is_changed_in_place_is_no_link(tmp_path: Path) -> None:
    for _ in range(2):
        with open(tmp_path / "log", "a", opener=without_link) as file:
            file.write("line\n")
    assert (tmp_path / "log").read_text() == "line\nline\n"
    for target in ("log", "nowhere"):
        (tmp_path / target[0]).symlink_to(tmp_path / target)
        with pytest.raises(OSError, match="symbolic link"):
            open(tmp_path / target[0], "a", opener=without_link)  # noqa: SIM115
    assert not (tmp_path / "nowhere").exists()
