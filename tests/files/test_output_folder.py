"""Links below an output folder are found wherever they lie, and an output folder may itself be a link."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dentasam.errors import OutputError
from dentasam.files.output_folder import all_or_nothing, check_no_links, claim_folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder without links, reached by one."""
    (tmp_path / "there" / "images" / "sub").mkdir(parents=True)
    (tmp_path / "there" / "images" / "sub" / "a.png").write_bytes(b"")
    (tmp_path / "out").symlink_to("there")
    return tmp_path / "out"


@pytest.mark.parametrize("names", [None, ["images"], ["images/sub/a.png", "images/sub/b.png", "masks/a.png"], []])
def test_a_folder_that_is_a_link_itself_is_the_user_s_own(out: Path, names: list[str] | None) -> None:
    check_no_links(out, names)
    check_no_links(out / "missing", names)


@pytest.mark.parametrize("place", ["new", "images/new", "images/sub/new", "images/sub/b.png"])
@pytest.mark.parametrize("target", ["there", "there/images/sub/a.png", "nowhere"])
def test_links_to_folders_to_files_and_to_nothing_are_named(out: Path, place: str, target: str) -> None:
    whole = str(out.parent / target)
    (out / place).symlink_to(whole)
    for names in (None, [place], [f"{place}/more/c.png"], ["images/sub/a.png", place.partition("/")[0]]):
        with pytest.raises(OutputError) as caught:
            check_no_links(out, names)
        assert str(caught.value) == (
            f"{out / place} is a link to {whole}, and nothing is written through links below an output folder; "
            "delete it, or choose another --out"
        )
    check_no_links(out, ["images/sub/a.png", "masks"])


def test_links_are_not_entered(out: Path) -> None:
    (out / "images" / "around").symlink_to(out.parent)
    with pytest.raises(OutputError, match="around is a link"):
        check_no_links(out)


def test_nothing_is_asked_of_the_files_one_by_one(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        (out / "images" / f"{number}.png").write_bytes(b"")
    asked: list[object] = []

    def counted(path: object, *arguments: object, **options: object) -> Iterator[None]:
        asked.append(path)
        raise OSError

    for name in ("stat", "lstat", "readlink"):
        monkeypatch.setattr(os, name, counted)
    check_no_links(out)
    monkeypatch.undo()
    assert asked == []


@pytest.mark.parametrize("target", ["there", "nowhere"])
def test_a_folder_that_must_be_empty_holds_no_link_either(out: Path, target: str) -> None:
    new = out.parent / "new"
    new.mkdir()
    (new / "images").symlink_to(out.parent / target)
    with pytest.raises(OutputError, match=r"is in use \(it holds images\)"):
        claim_folder(new)
    with pytest.raises(OutputError, match=r"is in use \(it holds images\)"), all_or_nothing(new):
        pytest.fail("the folder was taken")
    assert (new / "images").is_symlink()
    assert (out / "images" / "sub" / "a.png").is_file()
