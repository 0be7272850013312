"""The text that is written piece by piece is that of the whole document."""

import json
from pathlib import Path

import numpy as np
import pytest

from dentasam.data.coco.document import coco_document
from dentasam.data.coco.text import coco_text
from dentasam.data.dataset import Dataset
from dentasam.data.record import Category, ImageRecord, ObjectRecord
from dentasam.errors import DatasetError

from ..coco_files import SQUARE, write

PATH = Path("set.json")


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_same_as_at_once(tmp_path: Path, count: int) -> None:
    dataset = Dataset.load(write(tmp_path))
    crowd = ObjectRecord(77, "überzahn", SQUARE, (10.0, 10.0, 20.0, 15.0), 300.0, {"score": 0.5})
    first, second = dataset.images
    images = (first, second, ImageRecord(9, tmp_path / "c.png", "ä/c.png", 60, 40, ("a",), (), (crowd,)))[:count]
    categories = (Category(99, "restoration"), Category(3, "unused", "other"))
    text = list(coco_text(PATH, images, categories, dataset.info))
    assert "".join(text) == json.dumps(coco_document(PATH, images, categories, dataset.info))
    # A piece is a record at most, however many there are.
    assert len(text) == 3 + count + sum(len(image.objects) + len(image.crowds) for image in images)


def test_repeated_ids_are_found_before_the_first_piece() -> None:
    image = ImageRecord(1, Path("/a.png"), "a.png", 4, 4)
    with pytest.raises(DatasetError, match=r"set\.json: image id 1 is there twice"):
        coco_text(PATH, (image, image))
    tooth = ObjectRecord.from_mask(5, "36", np.ones((4, 4), bool))
    with pytest.raises(DatasetError, match=r"set\.json: annotation id 5 is there twice"):
        coco_text(PATH, (ImageRecord(1, Path("/a.png"), "a.png", 4, 4, (), (tooth, tooth)),))
