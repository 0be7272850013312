"""COCO in and out, against pycocotools, and one clear line for each thing that can be wrong with it."""

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from dentasam.data.dataset import Category, Dataset, ImageRecord, ObjectRecord
from dentasam.errors import DatasetError, ImageError, OutputError

from .coco_files import (
    FILLING,
    HEIGHT,
    SQUARE,
    TOOTH,
    WIDTH,
    compressed,
    images,
    write,
)

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "ufba425"
needs_real = pytest.mark.skipif(not (REAL / "train.json").is_file(), reason="the measuring data are not here")


def test_everything_is_read(tmp_path: Path) -> None:
    dataset = Dataset.load(write(tmp_path))
    first, second = dataset.images
    assert (first.id, first.file_name, first.width, first.height) == (1, "images/a.png", WIDTH, HEIGHT)
    assert first.path == tmp_path / "images" / "a.png"
    assert first.tags == ("blurred",)
    assert second.tags == second.objects == ()
    assert dataset.objects == 3
    assert dataset.info == {"description": "made for tests"}
    assert dataset.categories[0] == Category(11, "11", "tooth")
    assert [record.category for record in first.objects] == ["36", "restoration", "11"]
    assert [record.area for record in first.objects] == [TOOTH.sum(), FILLING.sum(), 300]
    assert first.objects[1].bbox == (10, 5, 16, 7)
    assert first.objects[2].bbox == (10, 10, 20, 15)
    np.testing.assert_array_equal(second.read(), images()["images/deep/b.png"])


def test_masks_equal_pycocotools_and_overlap_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path)
    masks = Dataset.load(path).images[0].masks()
    assert masks.dtype == bool
    assert masks.shape == (3, HEIGHT, WIDTH)
    oracle = COCO(path)
    for mask, annotation in zip(masks, oracle.loadAnns(oracle.getAnnIds([1])), strict=True):
        np.testing.assert_array_equal(mask, oracle.annToMask(annotation))
    assert (masks[0] & masks[1]).sum() == (TOOTH & FILLING).sum() > 0
    assert Dataset.load(path).images[1].masks().shape == (0, HEIGHT, WIDTH)


def test_a_relative_path_to_the_dataset_gives_absolute_images(tmp_path: Path, monkeypatch: Any) -> None:
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    record = Dataset.load("set.json").images[0]
    monkeypatch.chdir("/")
    assert record.read().shape == (HEIGHT, WIDTH)


def test_write_keeps_masks_tags_and_categories(tmp_path: Path) -> None:
    before = Dataset.load(write(tmp_path))
    path = before.write(tmp_path / "again.json")
    after = Dataset.load(path)
    assert after.categories == before.categories
    assert after.info == before.info
    for old, new in zip(before.images, after.images, strict=True):
        assert (new.id, new.path, new.file_name, new.tags) == (old.id, old.path, old.file_name, old.tags)
        assert [(o.id, o.category) for o in new.objects] == [(o.id, o.category) for o in old.objects]
        np.testing.assert_array_equal(new.masks(), old.masks())
    oracle = COCO(path)
    for annotation in oracle.anns.values():
        rle = annotation["segmentation"]
        assert isinstance(rle["counts"], str)
        assert annotation["area"] == coco_mask.area(rle)
        assert annotation["bbox"] == coco_mask.toBbox(rle).tolist()
    assert path.read_bytes() == after.write(tmp_path / "third.json").read_bytes()


OVERLAPPING = hnp.arrays(bool, st.tuples(st.integers(1, 4), st.integers(1, 12), st.integers(1, 12)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(OVERLAPPING)
def test_overlapping_masks_survive_the_file(tmp_path: Path, masks: np.ndarray) -> None:
    masks = masks[masks.any(axis=(1, 2))]
    count, height, width = masks.shape
    image = tmp_path / "x.png"
    image.touch()
    objects = tuple(ObjectRecord.from_mask(n, str(11 + n % 8), mask) for n, mask in enumerate(masks))
    record = ImageRecord(3, image, "x.png", width, height, (), objects)
    path = Dataset(tmp_path / "x.json", (record,)).write(tmp_path / "x.json")
    loaded = Dataset.load(path).images[0]
    assert len(loaded.objects) == count
    np.testing.assert_array_equal(loaded.masks(), masks)


def test_write_names_new_categories(tmp_path: Path) -> None:
    dataset = Dataset.load(write(tmp_path))
    named = [("21", 21), ("caries", 101), ("36", 36), ("0011", 102)]
    objects = tuple(ObjectRecord.from_mask(n, name, TOOTH) for n, (name, _) in enumerate(named))
    record = ImageRecord(1, tmp_path / "images/a.png", "", WIDTH, HEIGHT, (), objects)
    path = Dataset(dataset.path, (record,), dataset.categories[1:2]).write(tmp_path / "new.json")
    ids = {category["name"]: category["id"] for category in json.loads(path.read_text())["categories"]}
    assert ids.keys() == {name for name, _ in named}
    assert ids["21"] == 21
    assert ids["36"] == 36
    assert len(set(ids.values())) == 4
    assert [record.category for record in Dataset.load(path).images[0].objects] == [name for name, _ in named]


def test_write_into_another_folder(tmp_path: Path) -> None:
    dataset = Dataset.load(write(tmp_path))
    deep = Dataset(dataset.path, dataset.images[1:], dataset.categories).write(tmp_path / "images" / "deep.json")
    assert Dataset.load(deep).images[0].file_name == "deep/b.png"
    (tmp_path / "other").mkdir()
    with pytest.raises(DatasetError, match=r"image 1 .*lies outside the folder of the dataset; write the dataset"):
        dataset.write(tmp_path / "other" / "x.json")


def test_write_is_all_or_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    path = write(tmp_path)
    before = path.read_bytes()

    def fails(draft: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OutputError, match=r"set\.json cannot be written \(No space left on device\)"):
        Dataset.load(path).write(path)
    assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["images", "set.json"]


def test_write_refuses_repeated_ids(tmp_path: Path) -> None:
    dataset = Dataset.load(write(tmp_path))
    with pytest.raises(DatasetError, match="image id 1 is there twice"):
        Dataset(dataset.path, dataset.images[:1] * 2).write(tmp_path / "x.json")


def test_subset(tmp_path: Path) -> None:
    dataset = Dataset.load(write(tmp_path))
    assert [image.id for image in dataset.subset([2]).images] == [2]
    assert dataset.subset([2, 1]).images == dataset.images
    with pytest.raises(DatasetError, match="no image has the id 7"):
        dataset.subset([1, 7])


def test_an_image_of_another_size_is_found_when_read(tmp_path: Path) -> None:
    path = write(tmp_path)
    Image.new("L", (WIDTH, HEIGHT + 1)).save(tmp_path / "images/a.png")
    first, second = Dataset.load(path).images
    with pytest.raises(DatasetError, match=r"a\.png: image 1 has 60x41 pixels, the dataset says 60x40; put"):
        first.read()
    (tmp_path / "images/deep/b.png").write_bytes(b"")
    with pytest.raises(ImageError, match=r"b\.png is empty"):
        second.read()


def test_a_record_made_by_hand_is_checked_when_decoded() -> None:
    record = ObjectRecord(4, "11", compressed(TOOTH), (0, 0, 1, 1), 1)
    with pytest.raises(DatasetError, match="annotation 4: its RLE is for an image of 60x40, this one is 50x40"):
        record.mask(HEIGHT, 50)
    image = ImageRecord(8, Path("/x/y.png"), "y.png", 50, HEIGHT, (), (record,))
    with pytest.raises(DatasetError, match=r"image 8 \(/x/y\.png\), annotation 4: its RLE is for"):
        image.masks()
    with pytest.raises(DatasetError, match="annotation 4: its mask is empty"):
        ObjectRecord.from_mask(4, "11", TOOTH & False)


def test_polygons_with_holes_of_several_rings_are_united() -> None:
    rings = [*SQUARE, [40.0, 5.0, 50.0, 5.0, 45.0, 30.0]]
    record = ObjectRecord(1, "11", rings, (0, 0, 1, 1), 1)
    united = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(rings, HEIGHT, WIDTH)))
    np.testing.assert_array_equal(record.mask(HEIGHT, WIDTH), united)


@needs_real
def test_the_real_training_set_is_read_fast_and_right() -> None:
    start = time.process_time()
    dataset = Dataset.load(REAL / "train.json")
    assert time.process_time() - start < 3
    assert len(dataset.images) == 334
    assert dataset.objects == 9139
    record = dataset.images[7]
    masks = record.masks()
    for mask, item in zip(masks, record.objects, strict=True):
        np.testing.assert_array_equal(mask, coco_mask.decode(item.segmentation))
    assert [item.area for item in record.objects] == masks.sum(axis=(1, 2)).tolist()
    assert record.read().shape == (512, 904)


@needs_real
def test_the_real_masks_are_written_as_they_were() -> None:
    record = Dataset.load(REAL / "badcase.json").images[0]
    for item, mask in zip(record.objects, record.masks(), strict=True):
        again = ObjectRecord.from_mask(item.id, item.category, mask)
        assert again == item
