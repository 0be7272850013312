"""Reading a COCO instances file, distrusting all of it: each fault is reported with the record it lies in.

One reader serves two users. `Dataset.load` gives a `report` that raises, so it stops at the first fault;
`find_problems` gives one that collects, so a record at fault is left out and reading goes on.
"""

import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

import numpy as np

from dentasam.data import rle, segmentation
from dentasam.data.image import PIXEL_LIMIT
from dentasam.data.record import Category, ImageRecord, ObjectRecord


@dataclass(frozen=True)
class Problem:
    """Something wrong in a dataset: where, what, and the mend. A warning does not stop a dataset's use."""

    image: int | None
    annotation: int | None
    what: str
    mend: str
    severity: Literal["fault", "warning"] = "fault"

    def line(self, path: Path) -> str:
        where = [str(path)]
        if self.image is not None:
            where.append(f"image {self.image}")
        if self.annotation is not None:
            where.append(f"annotation {self.annotation}")
        return f"{where[0]}: {', '.join(where[1:])}{': ' if where[1:] else ''}{self.what}; {self.mend}"


Report = Callable[[Problem], None]


@dataclass(frozen=True)
class Parsed:
    """The sound part of a COCO file."""

    images: tuple[ImageRecord, ...] = ()
    categories: tuple[Category, ...] = ()
    info: dict[str, Any] | None = None


def parse(path: Path, report: Report) -> Parsed:
    """Reads the COCO file at `path` (absolute), reporting every fault but those inside the image files."""
    content = _json(path, report)
    if content is None:
        return Parsed()
    categories = _categories(content["categories"], report)
    images, doubtful = _images(content["images"], path.parent, report)
    objects = _objects(content["annotations"], images, doubtful, {c.id: c.name for c in categories}, report)
    filled = (replace(image, objects=tuple(objects.get(id, ()))) for id, image in images.items())
    info = content.get("info")
    return Parsed(tuple(filled), tuple(categories), info if isinstance(info, dict) else None)


def _json(path: Path, report: Report) -> dict[str, Any] | None:
    content, fault = _read(path)
    if fault is None and not isinstance(content, dict):
        fault = "is not a COCO dataset (the top level is no object)", "export it as COCO instances"
    if fault is None:
        missing = [k for k in ("images", "annotations", "categories") if not isinstance(content.get(k), list)]
        if missing:
            fault = f"has no list '{missing[0]}'", "export it as COCO instances"
    if fault:
        report(Problem(None, None, *fault))
        return None
    return content


def _read(path: Path) -> tuple[Any, tuple[str, str] | None]:
    """The content of a JSON file, or what is wrong with it and the mend."""
    if path.is_dir():
        return None, ("is a folder", "name the COCO JSON in it")
    try:
        # Some editors on Windows put a byte order mark first.
        return json.loads(path.read_text(encoding="utf-8-sig")), None
    except FileNotFoundError:
        return None, ("does not exist", "check the path of the dataset")
    except OSError as fault:
        return None, (f"cannot be read ({fault.strerror})", "check its permissions")
    except json.JSONDecodeError as fault:
        what = "is empty" if not fault.doc.strip() else f"is no JSON (line {fault.lineno}: {fault.msg})"
        return None, (what, "it may be truncated: export it again")
    except (ValueError, RecursionError):
        return None, ("is no JSON text", "export the dataset as COCO JSON")


def _categories(items: list[Any], report: Report) -> list[Category]:
    found: list[Category] = []
    ids: set[int] = set()
    names: set[str] = set()
    for position, item in enumerate(items):
        id, name = (_whole(item.get("id")), item.get("name")) if isinstance(item, dict) else (None, None)
        if id is None or not isinstance(name, str) or not name:
            what = f"categories[{position}] has no whole-number id or no name"
            report(Problem(None, None, what, "give it both"))
        elif id in ids or name in names:
            what = f"category {id} '{name}' is there twice"
            report(Problem(None, None, what, "give every category its own id and name"))
        else:
            group = item.get("supercategory")
            found.append(Category(id, name, group if isinstance(group, str) else ""))
            ids.add(id)
            names.add(name)
    return found


def _images(items: list[Any], folder: Path, report: Report) -> tuple[dict[int, ImageRecord], set[int]]:
    """The sound images by id, and the ids of those left out, whose annotations are no further fault."""
    found: dict[int, ImageRecord] = {}
    left_out: set[int] = set()
    for position, item in enumerate(items):
        id = _whole(item.get("id")) if isinstance(item, dict) else None
        if id is None:
            report(Problem(None, None, f"images[{position}] has no whole-number id", "give it one"))
            continue
        fault = _image_fault(item, folder)
        if id in found or id in left_out:
            fault = "its id is there twice", "give every image its own id"
        if fault:
            report(Problem(id, None, *fault))
            left_out.add(id)
            continue
        name = item["file_name"]
        path = Path(os.path.normpath(folder / _portable(name)))
        tags = tuple(dict.fromkeys(item.get("tags") or ()))
        found[id] = ImageRecord(id, path, name, int(item["width"]), int(item["height"]), tags)
    return found, left_out


def _image_fault(item: dict[str, Any], folder: Path) -> tuple[str, str] | None:
    name = item.get("file_name")
    if not isinstance(name, str) or not name:
        return "it has no 'file_name'", "give its path relative to the JSON"
    shown = name if len(name) <= 100 else f"{name[:100]}…"
    if escapes(name):
        return (
            f"its path {shown!r} leaves the dataset's folder",
            "give a path relative to the JSON, without '..'",
        )
    width, height = _whole(item.get("width")), _whole(item.get("height"))
    if width is None or height is None or width < 1 or height < 1 or width * height > PIXEL_LIMIT:
        return "its 'width' and 'height' are not sizes in pixels", "write the size of the image file"
    tags = item.get("tags")
    if tags is not None and not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        return "its 'tags' are not a list of strings", 'write them like ["blurred"]'
    if not os.path.isfile(folder / _portable(name)):
        return f"its file {shown!r} is missing in {folder}", "put it there or take the image out"
    return None


def escapes(name: str) -> bool:
    """Whether a file name is absolute, on any system, or leads out of the folder that it is relative to."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    if posix.is_absolute() or windows.root or windows.drive or "\0" in name:
        return True
    depth = 0
    for part in windows.parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return depth == 0


def _portable(name: str) -> str:
    return name.replace("\\", "/")


def _objects(
    items: list[Any],
    images: dict[int, ImageRecord],
    doubtful: set[int],
    names: dict[int, str],
    report: Report,
) -> dict[int, list[ObjectRecord]]:
    found: dict[int, list[ObjectRecord]] = {}
    ids: set[int] = set()
    for position, (item, runs) in enumerate(zip(items, _compressed_runs(items), strict=True)):
        id = _whole(item.get("id")) if isinstance(item, dict) else None
        if id is None:
            report(Problem(None, None, f"annotations[{position}] has no whole-number id", "give it one"))
            continue
        image_id = _whole(item.get("image_id"))
        if id in ids:
            report(Problem(image_id, id, "its id is there twice", "give every annotation its own id"))
            continue
        ids.add(id)
        image = images.get(image_id) if image_id is not None else None
        category = names.get(_whole(item.get("category_id")), "")  # type: ignore[arg-type]
        fault = _annotation_fault(item, image, category, runs)
        if fault is None and image is not None:
            found.setdefault(image.id, []).append(_object(id, item, image, category, runs))
        elif fault is not None and (image is not None or image_id not in doubtful):
            report(Problem(image_id, id, *fault))
    return found


def _compressed_runs(items: list[Any]) -> Iterator[np.ndarray | None]:
    """For each annotation the runs of its compressed RLE, all read in one pass; None where it has none."""
    strings: dict[int, str] = {}
    for position, item in enumerate(items):
        shape = item.get("segmentation") if isinstance(item, dict) else None
        counts = shape.get("counts") if isinstance(shape, dict) else None
        if isinstance(counts, str):
            strings[position] = counts
    runs = dict(zip(strings, rle.runs_of(list(strings.values())), strict=True))
    return (runs.get(position) for position in range(len(items)))


def _annotation_fault(
    item: dict[str, Any], image: ImageRecord | None, category: str, runs: np.ndarray | None
) -> tuple[str, str] | None:
    missing = [key for key in ("image_id", "category_id", "segmentation") if item.get(key) is None]
    if missing:
        return f"it has no '{missing[0]}'", "complete it or delete it"
    if image is None:
        return f"no image has its image_id {item['image_id']!r:.40}", "add the image or delete the annotation"
    if not category:
        return (
            f"no category has its category_id {item['category_id']!r:.40}",
            "add the category or correct the id",
        )
    box = item.get("bbox")
    if box is not None and not _is_box(box):
        return "its bbox is not four finite numbers x, y, width, height", "correct or delete the bbox"
    return segmentation.fault_of(item["segmentation"], image.height, image.width, runs)


def _object(
    id: int, item: dict[str, Any], image: ImageRecord, category: str, runs: np.ndarray | None
) -> ObjectRecord:
    shape, box = item["segmentation"], item.get("bbox")
    if isinstance(shape, list):
        area, own_box = segmentation.polygon_area(shape), segmentation.polygon_box
        bbox = tuple(map(float, box)) if box else own_box(shape)
    else:
        runs = segmentation.runs_of(shape, image.height, image.width) if runs is None else runs
        area = float(rle.area_of(runs))
        bbox = tuple(map(float, box)) if box else rle.box_of(runs, image.height)
    return ObjectRecord(id, category, shape, bbox, area)  # type: ignore[arg-type]


def _is_box(box: Any) -> bool:
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(type(value) in (int, float) and math.isfinite(value) for value in box)
        and min(box[2:]) >= 0
    )


def _whole(value: Any) -> int | None:
    """A whole number, also one that an exporter wrote as 7.0; None for anything else."""
    if type(value) is int:
        return value
    return int(value) if type(value) is float and value.is_integer() else None
