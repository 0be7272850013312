"""Images are found by whatever an annotation calls them, and never outside the source."""

import time
from pathlib import Path

import pytest
from PIL import Image

from dentasam.data.formats.sources.images import ImageTaken, SourceImage, SourceImages
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
    assert tree(tmp_path).find("Bild.png").name == "Zähne/Bild.PNG"
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


def test_links_that_leave_the_folder_are_left_out(tmp_path: Path) -> None:
    lines: list[str] = []
    tree(tmp_path / "outside", "secret.png")
    tree(tmp_path / "in", "a.png")
    (tmp_path / "in" / "b.png").symlink_to("a.png")
    (tmp_path / "in" / "c.png").symlink_to(tmp_path / "outside" / "secret.png")
    (tmp_path / "in" / "d.png").symlink_to("/etc/passwd")
    (tmp_path / "linked").symlink_to(tmp_path / "in")
    for folder in ("in", "linked"):
        images = SourceImages.in_folder(tmp_path / folder, lines.append)
        assert [image.name for image in images.all()] == ["a.png", "b.png"]
    for line, name in zip(lines, "cdcd", strict=True):
        assert line.startswith(f"{name}.png is left out: it is a link to a file outside of this folder; ")


def test_files_that_the_format_reads_itself_are_not_reported(tmp_path: Path) -> None:
    lines: list[str] = []
    tree(tmp_path, "a.png")
    for name in ("a.nii", "b.webp"):
        (tmp_path / name).write_bytes(b"")
    images = SourceImages.in_folder(tmp_path, lines.append)
    images.read_elsewhere.append(".nii")
    assert len(images) == 1
    (line,) = lines
    assert line.startswith("b.webp is left out: ")


def test_a_name_never_gets_the_image_of_another_name(tmp_path: Path) -> None:
    images = tree(tmp_path, "p1/opg.png")
    for announced in ("p2/opg.png", "p1/opg.png", "p2/opg.png"):
        images.expect(announced)
    with pytest.raises(ImageTaken, match=r"x\.xml: its image 'p2/opg\.png' is not in .* p1/opg\.png is that of 'p1"):
        images.find("p2/opg.png", tmp_path / "x.xml")
    assert images.find("p1/opg.png").name == images.find("./p1/opg.png").name == "p1/opg.png"
    # What nobody announced cannot be undone, and is an error for the image's own name.
    images = tree(tmp_path)
    assert images.find("p2/opg.png").name == "p1/opg.png"
    with pytest.raises(ImageTaken, match="its image 'p1/opg.png' was taken for 'p2/opg.png' before; put"):
        images.find("p1/opg.png")


def test_the_name_that_shares_most_with_an_image_gets_it(tmp_path: Path) -> None:
    given = [SourceImage("train/a.png", tmp_path / "a.png", (20, 30)), SourceImage("b.png", tmp_path / "b.png")]
    images = SourceImages(given, "the worklist")
    images.expect("images/test/a.txt", stem=True)
    images.expect("images/train/a.txt", stem=True)
    with pytest.raises(ImageTaken, match="train/a.png is that of 'images/train/a'"):
        images.find_stem("images/test/a.txt")
    assert images.find_stem("images/train/a.txt").name == "train/a.png"
    # The same name twice, as of two annotators, and a lone name of another computer.
    for _ in range(2):
        assert images.find("C:\\patients\\p9\\b.png").name == "b.png"
    with pytest.raises(ImageTaken, match="b.png is that of 'C:/patients/p9/b.png'"):
        images.find("C:\\patients\\p8\\b.png")


def test_an_image_lies_in_the_folder_that_its_annotation_names(tmp_path: Path) -> None:
    images = tree(tmp_path, "p1/opg.png", "p2/deep/other.png", "images/train/a.png")
    (tmp_path / "p3").mkdir()
    for name in ("p2/opg.png", "p3/opg.png"):
        with pytest.raises(DatasetError, match=f"its image '{name}' is not in "):
            images.find(name)
    with pytest.raises(DatasetError, match=r"its image '\.\./p3/opg\.png' is not in "):
        images.find("../p3/opg.png", tmp_path / "x" / "a.json")
    assert images.find("p2/OTHER.png").name == "p2/deep/other.png"
    assert images.find_stem("images/a.txt").name == "images/train/a.png"


def test_thousands_of_images_of_one_name_are_found_at_once(tmp_path: Path) -> None:
    names = [f"images/p{number}/opg.png" for number in range(3000)]
    images = SourceImages([SourceImage(name, tmp_path / name) for name in names], "x", tmp_path)
    elsewhere = SourceImages([SourceImage(name[7:], tmp_path / name) for name in names], "x")
    begin = time.perf_counter()
    for name in names:
        assert images.find_stem(f"{name[:-4]}.txt", tmp_path / "labels" / "a.txt").name == name
        assert elsewhere.find_stem(f"{name[:-4]}.txt").name == name[7:]
    assert time.perf_counter() - begin < 10
