"""COCO written image by image is the document that is written at once."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dentasam.data.coco.document import coco_document
from dentasam.data.coco.stream import stream_coco
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.errors import OutputError


def images(path: Path, count: int) -> Iterator[ImageRecord]:
    masks = np.zeros((2, 6, 9), bool)
    masks[0, 1:3, 2:5] = masks[1, 4:, 7:] = True
    for number in range(1, count + 1):
        names = ("36", "bridge") if number != 2 else ()
        objects = tuple(
            ObjectRecord.from_mask(10 * number + place, name, masks[place]) for place, name in enumerate(names)
        )
        yield ImageRecord(number, path / "a.png", f"images/ä{number}.png", 9, 6, ("blurred",), objects)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_same_as_at_once(tmp_path: Path, count: int) -> None:
    path = tmp_path / "dataset.json"
    stream_coco(path, images(tmp_path, count), ["bridge", "36"] if count else [])
    assert path.read_text() == json.dumps(coco_document(path, tuple(images(tmp_path, count))))
    assert [each.name for each in tmp_path.iterdir()] == ["dataset.json"]


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "dataset.json"
    path.write_text("old")
    with pytest.raises(KeyError):
        stream_coco(path, images(tmp_path, 1), ["36"])
    assert path.read_text() == "old"
    with pytest.raises(OutputError, match="cannot be written"):
        stream_coco(tmp_path / "none" / "dataset.json", images(tmp_path, 1), ["36"])
