"""Which images of a folder or a dataset a worklist shows: those that can be read; the others have a line each."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from dentasam.data.images.read import read_image
from dentasam.labelling.workspace.workspace import Workspace, list_images


def png(path: Path) -> Path:
    Image.new("L", (8, 6), 90).save(path, "PNG")
    return path


def lines(folder: Path) -> tuple[list[str], list[str]]:
    problems: list[str] = []
    images = list_images(folder, problems)
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


def test_an_image_that_cannot_be_read_is_named(folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(folder / "b.png", "BMP")
    (folder / "broken.png").symlink_to(tmp_path / "nothing.png")
    shown, problems = lines(folder)
    assert shown == ["a.png"]
    assert [problem.split(" is left out: ")[0] for problem in problems] == ["b.png", "broken.png"]
    assert "(it is BMP)" in problems[0]
    assert "does not exist" in problems[1]
