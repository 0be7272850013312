"""A small COCO dataset on disk for the tests of this folder, with everything the format allows."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

HEIGHT, WIDTH = 40, 60
SQUARE = [[10.0, 10.0, 30.0, 10.0, 30.0, 25.0, 10.0, 25.0]]


def block(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top:bottom, left:right] = True
    return mask


TOOTH, FILLING = block(5, 5, 30, 20), block(5, 10, 12, 26)


def compressed(mask: np.ndarray) -> dict[str, Any]:
    coded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(mask.shape), "counts": coded["counts"].decode("ascii")}


def uncompressed(mask: np.ndarray) -> dict[str, Any]:
    flat = np.concatenate([[False], mask.reshape(-1, order="F"), [not mask[-1, -1]]])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    return {"size": list(mask.shape), "counts": np.diff(np.concatenate([[0], edges])).tolist()}


def content() -> dict[str, Any]:
    """Two images: one with a polygon and both kinds of RLE, overlapping; one without objects."""
    return {
        "info": {"description": "made for tests"},
        "images": [
            {"id": 1, "file_name": "images/a.png", "width": WIDTH, "height": HEIGHT, "tags": ["blurred"]},
            {"id": 2, "file_name": "images/deep/b.png", "width": WIDTH, "height": HEIGHT},
        ],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 36,
                "segmentation": compressed(TOOTH),
                "bbox": [5, 5, 15, 25],
            },
            {"id": 2, "image_id": 1, "category_id": 99, "segmentation": uncompressed(FILLING)},
            {"id": 5, "image_id": 1, "category_id": 11, "segmentation": SQUARE, "area": 300},
        ],
        "categories": [
            {"id": 11, "name": "11", "supercategory": "tooth"},
            {"id": 36, "name": "36", "supercategory": "tooth"},
            {"id": 99, "name": "restoration"},
        ],
    }


def images() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    return {
        name: draw.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8) for name in ("images/a.png", "images/deep/b.png")
    }


def write(folder: Path, coco: Any = None) -> Path:
    """Writes the images and `coco` (by default `content()`) and returns the JSON's path."""
    for name, pixels in images().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name)
    path = folder / "set.json"
    path.write_text(json.dumps(content() if coco is None else coco))
    return path
