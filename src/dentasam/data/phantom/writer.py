"""Phantoms on disk: a COCO file and its images."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from dentasam.data.phantom.conditions import CONDITIONS
from dentasam.data.phantom.generator import generate
from dentasam.data.phantom.scene import Mask
from dentasam.errors import OutputError

TEETH = [f"{quadrant}{position}" for quadrant in "1234" for position in range(1, 9)]
CATEGORIES = [{"id": int(number), "name": number, "supercategory": "tooth"} for number in TEETH] + [
    {"id": 101, "name": "restoration", "supercategory": "restoration"},
    {"id": 102, "name": "implant", "supercategory": "implant"},
]


def encode_mask(mask: Mask) -> tuple[dict[str, Any], list[int], int]:
    """COCO's compressed RLE, bounding box and area of a mask (H, W) bool that is not empty.

    A run-length code goes down the columns, so columns left and right of the object only lengthen its first
    and last runs: coding the columns the object spans is enough, and much faster than coding all.
    """
    height, width = mask.shape
    columns = np.flatnonzero(mask.any(axis=0))
    rows = np.flatnonzero(mask.any(axis=1))
    left, right = int(columns[0]), int(columns[-1]) + 1
    part = mask[:, left:right].T.reshape(-1)  # column-major order of the spanned columns
    changes = np.flatnonzero(np.diff(part.view(np.int8))) + 1
    starts = np.concatenate([[0], changes, [part.size]])
    counts = np.diff(starts).tolist()
    if part[0]:
        counts.insert(0, 0)
    counts[0] += left * height
    tail = (width - right) * height
    if part[-1]:
        if tail:
            counts.append(tail)
    else:
        counts[-1] += tail
    rle = coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    box = [left, int(rows[0]), right - left, int(rows[-1]) + 1 - int(rows[0])]
    return {"size": [height, width], "counts": rle["counts"].decode("ascii")}, box, int(part.sum())


def _conditions_of(seed: int, index: int) -> tuple[str, ...]:
    """What image `index` suffers from when the caller leaves it open: one in four has one condition."""
    rng = np.random.default_rng([seed, index, 13])
    return (str(rng.choice(CONDITIONS)),) if rng.random() < 0.25 else ()


def write_phantoms(
    out_dir: Path,
    count: int,
    seed: int = 0,
    width: int = 1024,
    height: int = 512,
    conditions: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write `count` phantoms under `out_dir` as `images/*.png`; the path of the COCO file beside them.

    `conditions` go to every image; None gives one image in four a condition of its own. `progress` is told
    (done, count) after each image. Raises OutputError where the folder cannot be written or holds another
    set, DatasetError for conditions or a size no phantom can have.
    """
    out_dir = Path(out_dir)
    target = out_dir / "phantoms.json"
    if target.exists():
        raise OutputError(f"{target} exists already: choose another folder or remove it")
    try:
        (out_dir / "images").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {out_dir / 'images'}: {error.strerror}; choose another folder") from error
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    numbers = {str(c["name"]): c["id"] for c in CATEGORIES}
    for index in range(count):
        wanted = _conditions_of(seed, index) if conditions is None else tuple(conditions)
        phantom = generate(seed * 1_000_003 + index, width, height, wanted)
        name = f"images/phantom-{index:05d}.png"
        done, coded = cv2.imencode(".png", phantom.image, [cv2.IMWRITE_PNG_COMPRESSION, 3])
        try:
            if not done:
                raise OSError(0, "the image could not be coded")
            (out_dir / name).write_bytes(coded.tobytes())
        except OSError as error:
            raise OutputError(f"cannot write {out_dir / name}: {error.strerror}; free some space") from error
        images.append(
            {"id": index + 1, "file_name": name, "width": width, "height": height, "tags": list(phantom.tags)}
        )
        for item in phantom.objects:
            segmentation, box, area = encode_mask(item.mask)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index + 1,
                    "category_id": numbers[item.category],
                    "segmentation": segmentation,
                    "bbox": box,
                    "area": area,
                    "iscrowd": 0,
                }
            )
        if progress is not None:
            progress(index + 1, count)
    info = {"description": f"dentasam phantoms, seed {seed}, synthetic"}
    document = {"info": info, "images": images, "annotations": annotations, "categories": CATEGORIES}
    draft = target.with_suffix(".json.part")
    draft.write_text(json.dumps(document))
    draft.replace(target)
    return target
