"""Names of images in imports and exports: no file replaces another, and none of a failed export is left."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dentasam.data.dataset import Dataset, ImageRecord, ObjectRecord
from dentasam.data.formats.catalogue import FORMATS, Format
from dentasam.data.formats.files.folders import short_names, with_images_under
from dentasam.data.formats.files.free_names import FreeNames
from dentasam.data.formats.registry import export_dataset, import_dataset, missing_extra, readable, writable
from dentasam.data.splits.split import write_split
from dentasam.errors import ImageError, OutputError

MASK = np.zeros((20, 30), bool)
MASK[5:9, 6:12] = True


def dataset(folder: Path, *names: tuple[int, str]) -> Dataset:
    """Images with ids and names; each has an object of its own place, and its place in the list as gray value."""
    images = []
    for place, (id, name) in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((20, 30), 10 + place, np.uint8)).save(path, "PNG")
        record = ObjectRecord.from_mask(place + 1, str(31 + place), np.roll(MASK, place, axis=1))
        images.append(ImageRecord(id, path, name, 30, 20, objects=(record,)))
    return Dataset(folder / "set.json", tuple(images))


def found(path: Path) -> dict[int, tuple[str, int]]:
    """By gray value: the category of the one object, and the column where it begins."""
    return {
        int(image.read()[0, 0]): (image.objects[0].category, int(image.masks()[0].any(axis=0).argmax()))
        for image in Dataset.load(path).images
    }


ALIKE = {
    "a name with an id is taken": [(1, "3-a.png"), (2, "images/a.png"), (3, "a.png")],
    "a name with an id is taken, by stem": [(1, "2-a.png"), (3, "a.png"), (2, "a.jpg")],
    "one suffix within another": [(1, "c.dcm.png"), (2, "c.png"), (3, "d.png")],
    "a stem is the other's name": [(1, "a.png"), (2, "a.jpg"), (3, "a.png.tif")],
    "case": [(1, "A.png"), (2, "a.png"), (3, "b/a.png")],
}


@pytest.mark.parametrize("names", ALIKE.values(), ids=list(ALIKE))
@pytest.mark.parametrize("name", [name for name in writable() if name in readable()])
def test_each_image_keeps_its_pixels_and_objects(tmp_path: Path, name: Format, names: list[tuple[int, str]]) -> None:
    if missing_extra(FORMATS[name]):
        pytest.skip(f"needs {missing_extra(FORMATS[name])}")
    before = dataset(tmp_path / "in", *names)
    export_dataset(name, before, tmp_path / "out")
    expected = {10 + place: (str(31 + place), 6 + place) for place in range(3)}
    assert found(import_dataset(name, tmp_path / "out", tmp_path / "back")) == expected
    images = [path for path in (tmp_path / "back" / "images").rglob("*") if path.is_file()]
    assert len({str(path).lower() for path in images}) == 3


def test_an_import_replaces_no_image(tmp_path: Path) -> None:
    source = dataset(tmp_path / "in", *ALIKE["a name with an id is taken"]).write(tmp_path / "in" / "set.json")
    path = import_dataset("coco", source, tmp_path / "out")
    assert [image.file_name for image in Dataset.load(path).images] == [
        "images/3-a.png",
        "images/a.png",
        "images/3-2-a.png",
    ]
    assert found(path) == {10: ("31", 6), 11: ("32", 7), 12: ("33", 8)}


@given(st.lists(st.sampled_from(["a.png", "A.png", "a.jpg", "1-a.png", "2-a.png", "b/a.png", "a", "2-2-a.jpg"])))
def test_free_names_are_unique(names: list[str]) -> None:
    whole, stems = FreeNames(), FreeNames(without_suffix=True)
    given = [whole.free(name, id % 3) for id, name in enumerate(names)]
    assert len({name.lower() for name in given}) == len(names)
    given = [stems.free(name, id % 3).removesuffix(".png").removesuffix(".jpg") for id, name in enumerate(names)]
    assert len({name.lower() for name in given}) == len(names)


@given(st.sets(st.text(alphabet="ab.", min_size=1, max_size=6).filter(lambda name: name.strip("."))))
def test_short_names_are_unique(names: set[str]) -> None:
    assert len(set(short_names(names).values())) == len(names)


def of_two_annotators(folder: Path) -> Dataset:
    (image, other) = dataset(folder, (1, "a.png"), (2, "b.png")).images
    objects = (replace(image.objects[0], id=3),)
    again = replace(image, id=3, objects=objects, extra={"annotator": "bo"})
    return Dataset(folder / "set.json", (image, again, other))


def test_records_of_one_file_share_its_copy(tmp_path: Path) -> None:
    before = of_two_annotators(tmp_path / "in")
    export_dataset("coco", before, tmp_path / "out")
    listed = json.loads((tmp_path / "out" / "dataset.json").read_text())["images"]
    assert [image["file_name"] for image in listed] == ["images/a.png", "images/a.png", "images/b.png"]
    assert sorted(path.name for path in (tmp_path / "out" / "images").iterdir()) == ["a.png", "b.png"]
    write_split(tmp_path / "out" / "dataset.json", {"train": 0.5, "val": 0.5}, out=tmp_path / "parts")
    assert sorted(path.name for path in (tmp_path / "parts" / "images").iterdir()) == ["a.png", "b.png"]


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    before = dataset(tmp_path / "in", (1, "a.png"), (2, "b.png"))

    def same(given: Dataset) -> Dataset:
        return replace(given, images=tuple(replace(image, file_name="images/c.png") for image in given.images))

    with pytest.raises(OutputError, match=r"c\.png would be both .*a\.png and .*b\.png; rename one of them"):
        with_images_under(before, tmp_path / "out", named=same)


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("name", ["coco", "png", "yolo", "nnunet"])
def test_a_failed_export_leaves_nothing(tmp_path: Path, name: str, held: bool) -> None:
    good, bad = dataset(tmp_path / "in", (1, "a.png"), (2, "b.png")).images
    (tmp_path / "in" / "b.png").unlink()
    before = Dataset(tmp_path / "set.json", (good, bad))
    out = tmp_path / "new" / "out"
    if held:
        out.mkdir(parents=True)
    with pytest.raises((ImageError, OutputError)):
        export_dataset(name, before, out)
    assert (tmp_path / "new").exists() == held
    assert not held or list(out.iterdir()) == []


def test_a_failed_split_leaves_nothing(tmp_path: Path) -> None:
    before = dataset(tmp_path / "in", (1, "a.png"), (2, "b.png"))
    (tmp_path / "in" / "b.png").unlink()
    with pytest.raises(OutputError):
        write_split(before, {"train": 0.5, "val": 0.5}, out=tmp_path / "parts")
    assert not (tmp_path / "parts").exists()
