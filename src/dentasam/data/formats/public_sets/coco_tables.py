"""The tables of COCO (images and annotations) in published datasets that name their objects in other ways.

Unlike in the format `coco`, an annotation may have several categories, and polygons a rule of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dentasam.data.coco.annotations import read_mask
from dentasam.data.coco.values import name_text
from dentasam.data.formats.files.passed_over import error_or_skip
from dentasam.data.formats.interface import ReadOptions, SourceRecord
from dentasam.data.formats.public_sets.published import PublishedSet, read_published_json
from dentasam.data.formats.sources.images import SourceImages
from dentasam.data.masks import rle, segmentation
from dentasam.data.masks.polygons import PolygonRule, boxed_polygons
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.documents.values import whole
from dentasam.errors import DatasetError


@dataclass(frozen=True)
class Naming:
    """What an annotation is. category: its name. extra: what else the set says of it."""

    category: str
    extra: dict[str, Any] = field(default_factory=dict)


# Names an annotation; raises ValueError with a reason that fits behind `annotation 7: `.
NameOf = Callable[[dict[str, Any]], Naming]


def read_tables(path: Path, published: PublishedSet, *keys: str) -> dict[str, Any]:
    """A JSON object with lists `images`, `annotations` and those of `keys`. Raises DatasetError for anything else."""
    content = read_published_json(path, published)
    if not isinstance(content, dict):
        raise published.refusal(path, "its top level is not a JSON object")
    for key in ("images", "annotations", *keys):
        if not isinstance(content.get(key), list):
            raise published.refusal(path, f"it has no list '{key}'")
    return content


def names_by_id(content: dict[str, Any], key: str, path: Path, published: PublishedSet) -> dict[int, str]:
    """The names in a list of categories by their ids. Raises DatasetError where one has no id or name."""
    found: dict[int, str] = {}
    for position, item in enumerate(content[key]):
        id = whole(item.get("id")) if isinstance(item, dict) else None
        name = name_text(item.get("name")) if isinstance(item, dict) else None
        if id is None or name is None or id in found:
            raise published.refusal(path, f"{key}[{position}] has no id of its own or no name")
        found[id] = name
    return found


def records_of(
    path: Path,
    content: dict[str, Any],
    images: SourceImages,
    options: ReadOptions,
    name_of: NameOf,
    rule: PolygonRule,
) -> list[SourceRecord]:
    """The images of a file, whose annotations are drawn when each is loaded.

    An image with an error in its own entry, and annotations of no image, are errors here.
    """
    by_image: dict[int, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    entries: dict[int, dict[str, Any]] = {}
    for position, item in enumerate(content["images"]):
        id = whole(item.get("id")) if isinstance(item, dict) else None
        if id is None or id in entries or not isinstance(item.get("file_name"), str) or not item["file_name"]:
            what = "has no id of its own or no file_name"
            error_or_skip(options, f"{path}: images[{position}] {what}; correct or delete it")
            continue
        entries[id] = item
        images.expect(item["file_name"], annotation=path)
    for position, item in enumerate(content["annotations"]):
        image = whole(item.get("image_id")) if isinstance(item, dict) else None
        if image is None or image not in entries:
            error_or_skip(options, f"{path}: annotations[{position}] belongs to no image; correct or delete it")
            continue
        by_image[image].append((position, item))
    return [
        SourceRecord(
            f"{path.name}, image {id}",
            partial(_load, path, id, item, by_image.get(id, []), images, options, name_of, rule),
        )
        for id, item in entries.items()
    ]


def _load(
    path: Path,
    id: int,
    entry: dict[str, Any],
    annotations: list[tuple[int, dict[str, Any]]],
    images: SourceImages,
    options: ReadOptions,
    name_of: NameOf,
    rule: PolygonRule,
) -> ImageRecord:
    image = images.find(entry["file_name"], path)
    height, width = image.size
    given = whole(entry.get("height")), whole(entry.get("width"))
    if None not in given and given != (height, width):
        what = f"it is {given[1]!s:.20}x{given[0]!s:.20} there, {image.name} has {width}x{height} pixels"
        raise DatasetError(f"{path}, image {id}: {what}; put the published image there")
    objects: list[ObjectRecord] = []
    for position, item in annotations:
        own = whole(item.get("id"))
        where = f"annotations[{position}]" if own is None else f"annotation {own}"
        try:
            naming = name_of(item)
            runs = _runs_of(item, height, width, rule)
            if not rle.area_of(runs):
                raise ValueError("its mask is empty")
        except ValueError as error:
            error_or_skip(options, f"{path}, image {id}, {where}: {error}; correct or delete it")
            continue
        record = ObjectRecord.from_runs(0, naming.category, runs, height, width)
        objects.append(replace(record, extra=naming.extra))
    return ImageRecord(0, image.path, image.name, width, height, (), tuple(objects))


def _runs_of(item: dict[str, Any], height: int, width: int, rule: PolygonRule) -> np.ndarray:
    """The runs of an annotation's mask. Raises ValueError with the reason."""
    reading = read_mask(item, height, width, crowd_as_objects=True)
    if reading.error is not None:
        raise ValueError(reading.error[0])
    if reading.segmentation is None:
        raise ValueError("it has no mask")
    if rule is PolygonRule.corners or not isinstance(reading.segmentation, list):
        return segmentation.runs_of(reading.segmentation, height, width)
    rings = [np.reshape(ring, (-1, 2)) for ring in reading.segmentation]
    mask = boxed_polygons(rings, height, width, rule)
    return rle.encode_box(mask.x, mask.y, mask.bits, height, width)
