"""Annotations of published datasets for images that lie elsewhere, as those of a worklist, and are not opened."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dentasam.data.formats.interface import ReadOptions
from dentasam.data.formats.registry import reading_module
from dentasam.data.formats.sources.images import ImageNotFound, SourceImage, SourceImages

from .published_files import HEIGHT, SQUARE, WIDTH, block, mask_file, write_json

TOOTH = block(5, 5, 20, 12)
ANNOTATION: dict[str, Any] = {"id": 1, "image_id": 1, "segmentation": [SQUARE]}


def coco(name: str, **more: Any) -> dict[str, Any]:
    image = {"id": 1, "file_name": name, "width": WIDTH, "height": HEIGHT}
    return {"images": [image], "annotations": [ANNOTATION | {"category_id": 1}], **more}


def source_of(name: str, folder: Path) -> Path:
    """A source without images whose only image is called 7."""
    if name == "dentex":
        both = [{"id": 1, "name": "2"}]
        content = coco("7.jpg", categories_1=both, categories_2=both)
        content["annotations"] = [ANNOTATION | {"category_id_1": 1, "category_id_2": 1}]
        return write_json(folder / "train_quadrant_enumeration.json", content)
    if name == "odontoai":
        return write_json(folder / "train.json", coco("7.jpg", categories=[{"id": 1, "name": "tooth-11"}]))
    if name == "akudental":
        content = coco("7.jpg", categories=[{"id": 1, "name": "11 - Central Incisor"}])
        return write_json(folder / "akudental_instances.json", content)
    if name == "tufts":
        tooth = {"title": "8", "polygons": [np.reshape(SQUARE, (-1, 2)).tolist()]}
        entry = {"External ID": "7.jpg", "Label": {"objects": [tooth]}}
        return write_json(folder / "Segmentation" / "teeth_polygon.json", [entry])
    if name == "ufba425":
        mask_file(folder / "polygon_masks" / "7_11.ome.tiff", TOOTH)
    if name == "sts2d":
        (folder / "Labeled" / "Image").mkdir(parents=True)
        mask_file(folder / "Labeled" / "Mask" / "7.png", TOOTH)
    if name == "dc1000":
        (folder / "images").mkdir(parents=True)
        mask_file(folder / "labels" / "7.png", TOOTH)
    return folder


@pytest.mark.parametrize("name", ["dentex", "odontoai", "akudental", "tufts", "ufba425", "sts2d", "dc1000"])
def test_only_sizes_are_needed(tmp_path: Path, name: str) -> None:
    source = source_of(name, tmp_path / "s")
    case = SourceImage("ward/7.jpg", tmp_path / "nowhere" / "7.jpg", (HEIGHT, WIDTH))
    options = ReadOptions(tmp_path / "scratch")
    module = reading_module(name)
    (record,) = module.read(source, SourceImages([case], "the worklist"), options).records
    loaded = record.load()
    assert (loaded.file_name, loaded.width, loaded.height, len(loaded.objects)) == ("ward/7.jpg", WIDTH, HEIGHT, 1)
    (record,) = module.read(source, SourceImages([], "the worklist"), options).records
    with pytest.raises(ImageNotFound, match="is not in the worklist; "):
        record.load()
