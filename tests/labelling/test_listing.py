"""What a labelling folder's listing shows, and the line for everything else that looks like an image."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from dentasam.data.image import read_image
from dentasam.labelling.workspace import Workspace, listed


def png(path: Path) -> Path:
    Image.new("L", (8, 6), 90).save(path, "PNG")
    return path


def lines(folder: Path) -> tuple[list[str], list[str]]:
    problems: list[str] = []
    images = listed(folder, problems)
    for image in images:
        pixels = read_image(image.path)
        assert (pixels.shape, 8 * pixels.itemsize) == ((image.height, image.width), image.bits)
    return [image.name for image in images], problems


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
        ("b.png", "BMP", "b.png is left out: "),
    ],
)
def test_other_pictures_are_named(folder: Path, name: str, kind: str, says: str) -> None:
    Image.new("RGB", (64, 48)).save(folder / name, kind)
    shown, (problem,) = lines(folder)
    assert shown == ["a.png"]
    assert problem.startswith(says)
    assert kind != "BMP" or "(it is BMP)" in problem or "it is BMP" in problem


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
    for place in (tmp_path / "elsewhere", folder / ".hidden", folder / ".git", folder / "old.dentasam"):
        place.mkdir()
    png(tmp_path / "elsewhere" / "x.png")
    png(folder / ".hidden" / "x.png")
    png(folder / "old.dentasam" / "x.png")
    png(folder / ".b.png")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "linked.png").symlink_to(tmp_path / "elsewhere" / "x.png")
    (folder / "broken.png").symlink_to(tmp_path / "nothing.png")
    shown, problems = lines(folder)
    assert shown == ["a.png", "linked.png"]
    assert [problem.split(" is left out: ")[0] for problem in sorted(problems)] == [
        ".b.png",
        ".hidden/",
        "broken.png",
        "linked/",
    ]
    assert sum("linked folder" in problem for problem in problems) == 1
    assert any("does not exist" in problem for problem in problems)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "closed").mkdir(mode=0o000)
    assert "closed/ is left out: the folder cannot be read" in lines(folder)[1][0]


def test_thousands_of_other_files_are_a_few_lines(folder: Path) -> None:
    Image.new("L", (8, 6)).save(folder / "first.bmp")
    for number in range(600):
        shutil.copy(folder / "first.bmp", folder / f"{number}.bmp")
        (folder / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(number % 7))
        (folder / f"{number}.tif").write_bytes(b"")
    shown, problems = lines(folder)
    assert shown == ["a.png"]
    assert len(problems) <= 6
    assert any(problem.startswith("0.bmp, 1.bmp, 10.bmp and 598 more are left out") for problem in problems)


def test_pages_and_codings_that_are_not_read_are_named(folder: Path) -> None:
    tifffile.imwrite(folder / "pages.tif", np.zeros((2, 6, 8), "u1"), photometric="minisblack")
    tifffile.imwrite(folder / "j2k.tif", np.zeros((64, 64), "u1"), compression="jpeg2000")
    whole = folder / "cut.tif"
    tifffile.imwrite(whole, np.zeros((64, 64), "u2"))
    whole.write_bytes(whole.read_bytes()[:-100])
    shown, problems = lines(folder)
    assert shown == ["a.png"]
    assert sorted(problem.split(" is left out: ")[0] for problem in problems) == ["cut.tif", "j2k.tif", "pages.tif"]


def test_a_dataset_of_the_turned_size_is_told_the_true_reason(folder: Path) -> None:
    tags = Image.Exif()
    tags[274] = 6
    Image.new("L", (8, 6)).save(folder / "turned.jpg", exif=tags)
    images = [
        {"id": 1, "file_name": "a.png", "width": 8, "height": 6},
        {"id": 2, "file_name": "turned.jpg", "width": 6, "height": 8},
    ]
    (folder / "d.json").write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    with Workspace.open(folder / "d.json") as workspace:
        assert [image.name for image in workspace.images] == ["a.png"]
        (problem,) = workspace.problems
    assert "its orientation tag 6 is not applied" in problem
    assert "save the image upright without the tag" in problem
    assert "correct the size" not in problem
