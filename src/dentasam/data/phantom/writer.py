"""Phantoms on disk: a COCO file and its images."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dentasam.data.masks import rle
from dentasam.data.phantom.conditions import CONDITIONS
from dentasam.data.phantom.dentition.kinds import DentitionKind
from dentasam.data.phantom.dentition.tooth import SUPERNUMERARY
from dentasam.data.phantom.generator import generate
from dentasam.data.phantom.layout import Layout
from dentasam.data.phantom.parts import CARIES, PERIAPICAL, ROOT_FILLING
from dentasam.data.phantom.rendering import BRIDGE
from dentasam.data.phantom.scene import PhantomObject
from dentasam.errors import OutputError
from dentasam.files.atomic_write import write_atomically
from dentasam.files.output_folder import check_no_links
from dentasam.files.whole_file import write_whole
from dentasam.model.chart.dentition import DECIDUOUS

TEETH = [f"{quadrant}{position}" for quadrant in "1234" for position in range(1, 9)]
# What adults have. Other dentitions have more.
CATEGORIES = [{"id": int(number), "name": number, "supercategory": "tooth"} for number in TEETH] + [
    {"id": 101, "name": "restoration", "supercategory": "restoration"},
    {"id": 102, "name": "implant", "supercategory": "implant"},
    {"id": 103, "name": ROOT_FILLING, "supercategory": "restoration"},
    {"id": 104, "name": CARIES, "supercategory": "lesion"},
    {"id": 105, "name": PERIAPICAL, "supercategory": "lesion"},
]
ALL_CATEGORIES = [
    *CATEGORIES,
    *({"id": int(number), "name": number, "supercategory": "tooth"} for number in sorted(DECIDUOUS)),
    {"id": 106, "name": SUPERNUMERARY, "supercategory": "tooth"},
    {"id": 107, "name": BRIDGE, "supercategory": "restoration"},
]
CATEGORY_IDS = {str(category["name"]): category["id"] for category in ALL_CATEGORIES}


def _conditions_of(seed: int, index: int) -> tuple[str, ...]:
    """The conditions of image `index` where the caller names none: one image in four has one."""
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
    dentition: DentitionKind = "adult",
    layout: Layout = "usual",
) -> Path:
    """Writes `count` phantoms under `out_dir` as `images/*.png`; returns the path of the COCO file beside them.

    conditions: of every image; None gives one image in four a condition of its own. progress: takes the number of
    images done and of all. dentition, layout: of every image, as in `generate`. Raises OutputError where the folder
    cannot be written or holds another set, DatasetError for arguments that no phantom can have.
    """
    out_dir = Path(out_dir)
    target = out_dir / "phantoms.json"
    if target.exists():
        raise OutputError(f"{target} exists already: choose another folder or remove it")
    check_no_links(out_dir, map(_name, range(count)))
    try:
        (out_dir / "images").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {out_dir / 'images'}: {error.strerror}; choose another folder") from error
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index in range(count):
        wanted = _conditions_of(seed, index) if conditions is None else tuple(conditions)
        phantom = generate(seed * 1_000_003 + index, width, height, wanted, dentition, layout)
        name = _name(index)
        _write_image(out_dir / name, phantom.image)
        images.append(
            {"id": index + 1, "file_name": name, "width": width, "height": height, "tags": list(phantom.tags)}
        )
        for item in phantom.objects:
            annotations.append(_annotation(len(annotations) + 1, index + 1, item))
        if progress is not None:
            progress(index + 1, count)
    info = {"description": f"dentasam phantoms, seed {seed}, synthetic"}
    categories = CATEGORIES if dentition == "adult" else ALL_CATEGORIES
    document = {"info": info, "images": images, "annotations": annotations, "categories": categories}
    with write_atomically(target) as draft:
        draft.write_text(json.dumps(document))
    return target


def _name(index: int) -> str:
    return f"images/phantom-{index:05d}.png"


def _write_image(path: Path, image: np.ndarray) -> None:
    done, coded = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    try:
        if not done:
            raise OSError(0, "the image could not be encoded")
        write_whole(path, coded.tobytes())
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; free some space") from error


def _annotation(id: int, image_id: int, item: PhantomObject) -> dict[str, Any]:
    height, width = item.mask.shape
    runs = rle.encode(item.mask)
    return {
        "id": id,
        "image_id": image_id,
        "category_id": CATEGORY_IDS[item.category],
        "segmentation": {"size": [height, width], "counts": rle.to_string(runs, height, width)},
        "bbox": [int(side) for side in rle.box_of(runs, height)],
        "area": rle.area_of(runs),
        "iscrowd": 0,
    }
