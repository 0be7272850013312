"""Images are found by whatever an annotation calls them, and never outside the source."""

from pathlib import Path

import pytest
from PIL import Image

from dentasam.data.formats.sources.images import SourceImage, SourceImages
from dentasam.errors import DatasetError


def tree(root: Path, *names: str) -> SourceImages:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (30, 20)).save(root / name)
    return SourceImages.in_folder(root, lambda line: None)


@pytest.mark.parametrize(
    "name",
    [
        "a/1.png",
        "./a/1.png",
        "a\\1.png",
        "C:\\scans\\a\\1.png",
        "/data/project/a/1.png",
        "https://host/a/1.png",
        "../a/1.png",
    ],
)
def test_the_longest_end_of_a_path_decides(tmp_path: Path, name: str) -> None:
    images = tree(tmp_path, "a/1.png", "b/1.png", "2.png")
    assert images.find(name).name == "a/1.png"


def test_beside_the_annotation_comes_first(tmp_path: Path) -> None:
    images = tree(tmp_path, "a/1.png", "b/1.png", "b/deep/1.png")
    assert images.find("1.png", tmp_path / "b" / "1.json").name == "b/1.png"
    assert images.find("deep/1.png", tmp_path / "b" / "1.json").name == "b/deep/1.png"
    assert images.find("../a/1.png", tmp_path / "b" / "1.json").name == "a/1.png"
    assert images.find_stem("1", tmp_path / "b" / "1.txt").name == "b/1.png"


def test_names_that_fit_several_images_are_refused(tmp_path: Path) -> None:
    images = tree(tmp_path, "a/1.png", "b/1.png")
    with pytest.raises(DatasetError, match=r"x\.json: its image '1\.png' may be a/1\.png and b/1\.png"):
        images.find("1.png", tmp_path / "x.json")


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    images = tree(tmp_path / "in", "1.png")
    Image.new("L", (30, 20)).save(tmp_path / "outside.png")
    for name in ("../outside.png", str(tmp_path / "outside.png"), "", "..", "x\0y", "1.png/"):
        if name == "1.png/":
            assert images.find(name).name == "1.png"
            continue
        with pytest.raises(DatasetError, match="is not in .*put it there, or name its folder with --images"):
            images.find(name)


def test_case_and_unicode_forms(tmp_path: Path) -> None:
    images = tree(tmp_path, "Zähne/Bild.PNG", "zwei.png")
    assert images.find("Bild.png").name == "Zähne/Bild.PNG"
    assert images.find("Za\u0308hne/Bild.PNG").name == "Zähne/Bild.PNG"


def test_within_a_folder_names_are_relative_to_it(tmp_path: Path) -> None:
    images = tree(tmp_path, "images/a/1.png", "masks/a/36.png")
    (image,) = images.within("images").all()
    assert (image.name, image.size) == ("a/1.png", (20, 30))
    # Of a worklist all images are in the folder, whatever a format calls it.
    worklist = SourceImages([SourceImage("a/1.png", tmp_path / "none.png", (20, 30))], "the worklist")
    assert [image.name for image in worklist.within("imagesTr").all()] == ["a/1.png"]


def test_nothing_is_listed_before_an_image_is_asked_for(tmp_path: Path) -> None:
    images = SourceImages.in_folder(tmp_path, lambda line: None)
    Image.new("L", (30, 20)).save(tmp_path / "later.png")
    assert len(images) == 1
