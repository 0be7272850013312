"""What a folder's listing shows, and the line for everything else that looks like an image."""

import os
from pathlib import Path

import pytest
from PIL import Image

from dentasam.data.images.listing import LeftOut, images_in


def png(path: Path) -> Path:
    Image.new("L", (8, 6), 90).save(path, "PNG")
    return path


def lines(folder: Path) -> tuple[list[str], list[str]]:
    left_out = LeftOut()
    names = sorted(name for name, _ in images_in(folder, left_out, apart=folder / "w"))
    return names, left_out.lines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "radiographs"
    folder.mkdir()
    png(folder / "a.png")
    return folder


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("b.bmp", "BMP", "b.bmp is left out: it is BMP, which is not read; convert it to PNG"),
        ("b.gif", "GIF", "b.gif is left out: it is GIF, which is not read; convert it to PNG"),
        ("b.webp", "WEBP", "b.webp is left out: it is WebP, which is not read; convert it to PNG"),
        ("b.jp2", "JPEG2000", "b.jp2 is left out: it is JPEG 2000, which is not read; convert it to PNG"),
        ("b", "BMP", "b is left out: it is BMP, which is not read; convert it to PNG"),
        ("b.dat", "PNG", "b.dat is left out: it is PNG under another name; rename it to .png"),
        ("b.jfif", "JPEG", "b.jfif is left out: it is JPEG under another name; rename it to .jpg"),
    ],
)
def test_other_pictures_are_named(folder: Path, name: str, kind: str, says: str) -> None:
    Image.new("RGB", (64, 48)).save(folder / name, kind)
    shown, (problem,) = lines(folder)
    assert shown == ["a.png"]
    assert problem == says


def test_names_without_suffix_or_of_a_uid_are_shown(folder: Path) -> None:
    for name in ("scan", "1.2.840.10008.5"):
        png(folder / name)
    Image.new("L", (8, 6)).save(folder / "wrong.tif", "JPEG")
    assert lines(folder) == (["1.2.840.10008.5", "a.png", "scan", "wrong.tif"], [])


def test_what_is_no_image_is_passed_over_in_silence(folder: Path) -> None:
    for name in ("notes.txt", "labels.json", "README", ".DS_Store", "Thumbs.db", "._a.png", "empty"):
        (folder / name).write_text("" if name == "empty" else "no picture")
    os.mkfifo(folder / "pipe")
    assert lines(folder) == (["a.png"], [])


def test_linked_and_hidden_folders_are_named(folder: Path, tmp_path: Path) -> None:
    for place in (tmp_path / "elsewhere", folder / ".hidden", folder / ".git", folder / "old.dentasam", folder / "w"):
        place.mkdir()
    png(tmp_path / "elsewhere" / "x.png")
    png(folder / ".hidden" / "x.png")
    png(folder / "old.dentasam" / "x.png")
    png(folder / "w" / "x.png")
    png(folder / ".b.png")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "linked.png").symlink_to(tmp_path / "elsewhere" / "x.png")
    shown, problems = lines(folder)
    assert shown == ["a.png"]
    assert [problem.split(" is left out: ")[0] for problem in sorted(problems)] == [
        ".b.png",
        ".hidden/",
        "linked.png",
        "linked/",
    ]
    followed = images_in(folder, LeftOut(), folder / "w", follow_links=True)
    assert [name for name, _ in followed] == ["a.png", "linked.png"]
    assert sum("linked folder" in problem for problem in problems) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "closed").mkdir(mode=0o000)
    assert "closed/ is left out: the folder cannot be read" in lines(folder)[1][0]
