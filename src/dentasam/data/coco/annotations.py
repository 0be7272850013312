"""The annotations of a COCO file: objects, crowds, and others.

Annotations that tools write beside objects, such as boxes alone and polygons of two points, are passed over with a
reason. What cannot be right, such as a mask of another size, is an error.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dentasam.data.coco.passed_over import PassedOverAnnotation, Reason
from dentasam.data.coco.problem import Problem, Report, WhatAndFix
from dentasam.data.coco.values import is_box
from dentasam.data.masks import rle, segmentation
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.documents.shown import shown
from dentasam.documents.values import whole

# Annotations whose RLE is read in one pass. The arrays of a pass take 100 times the memory of the strings.
BATCH = 256


@dataclass
class Annotations:
    """objects, crowds: by the image's id. passed_over: annotations that are not objects, or not complete ones."""

    objects: dict[int, list[ObjectRecord]] = field(default_factory=dict)
    crowds: dict[int, list[ObjectRecord]] = field(default_factory=dict)
    passed_over: list[PassedOverAnnotation] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reading:
    """The mask of one annotation.

    segmentation: valid, None where there is no mask. reason: why it, or a part of it, is passed over.
    """

    segmentation: Any = None
    reason: Reason | None = None
    error: WhatAndFix | None = None


def read_annotations(
    items: list[Any],
    images: dict[int, ImageRecord],
    doubtful: set[int],
    names: dict[int, str],
    report: Report,
    crowd_as_objects: bool = False,
) -> Annotations:
    """Reads all annotations, reporting each error.

    items: emptied meanwhile, so that the memory of what was parsed is free for the records. doubtful: ids of images
    that were left out; their annotations are not further errors. names: of the categories.
    """
    found = Annotations()
    ids: set[int] = set()
    for position, (item, runs) in enumerate(_with_compressed_runs(items)):
        id = whole(item.get("id")) if isinstance(item, dict) else None
        if id is None:
            report(Problem(None, None, f"annotations[{position}] has no whole-number id", "give it one"))
            continue
        image_id = whole(item.get("image_id"))
        if id in ids:
            report(Problem(image_id, id, "its id is there twice", "give every annotation its own id"))
            continue
        ids.add(id)
        image = images.get(image_id) if image_id is not None else None
        category = names.get(whole(item.get("category_id")), "")  # type: ignore[arg-type]
        error = _link_error(item, image, category)
        reading = Reading(error=error)
        if error is None and image is not None:
            reading = read_mask(item, image.height, image.width, runs, crowd_as_objects)
        if reading.error is not None:
            if image is not None or image_id not in doubtful:
                report(Problem(image_id, id, *reading.error))
            continue
        assert image is not None
        if reading.reason is not None:
            found.passed_over.append(PassedOverAnnotation(image.id, id, reading.reason))
        if reading.segmentation is not None:
            kept = found.crowds if reading.reason is Reason.crowd else found.objects
            record = _object(id, reading.segmentation, item.get("bbox"), image, category, runs)
            kept.setdefault(image.id, []).append(record)
    return found


def read_mask(
    item: dict[str, Any],
    height: int,
    width: int,
    runs: np.ndarray | None = None,
    crowd_as_objects: bool = False,
) -> Reading:
    """The mask of one annotation on an image of height × width.

    runs: those of its RLE string, where that was read already. crowd_as_objects: take `iscrowd` 1 for an object.
    """
    given = item.get("segmentation", [])
    if given is None:
        # The exporter lost the mask; where there never was one, it writes an empty list.
        what = "its segmentation is null, neither a mask nor an empty list"
        return Reading(error=(what, "export it again or delete the annotation"))
    shape, dropped = segmentation.without_bad_rings(given)
    if shape == []:
        return Reading(reason=Reason.no_ring if dropped else Reason.no_mask)
    error = segmentation.error_in(shape, height, width, runs)
    if error is not None:
        return Reading(error=error)
    if not crowd_as_objects and item.get("iscrowd") in (1, "1"):
        return Reading(shape, Reason.crowd)
    return Reading(shape, Reason.ring if dropped else None)


def _with_compressed_runs(items: list[Any]) -> Iterator[tuple[Any, np.ndarray | None]]:
    """Takes the annotations out of `items`, each with the runs of its compressed RLE; None where it has none."""
    for start in range(0, len(items), BATCH):
        batch = items[start : start + BATCH]
        items[start : start + BATCH] = [None] * len(batch)
        strings: dict[int, str] = {}
        for position, item in enumerate(batch):
            shape = item.get("segmentation") if isinstance(item, dict) else None
            counts = shape.get("counts") if isinstance(shape, dict) else None
            if isinstance(counts, str):
                strings[position] = counts
        runs = dict(zip(strings, rle.runs_of(list(strings.values())), strict=True))
        for position, item in enumerate(batch):
            yield item, runs.get(position)


def _link_error(item: dict[str, Any], image: ImageRecord | None, category: str) -> WhatAndFix | None:
    missing = [key for key in ("image_id", "category_id") if item.get(key) is None]
    if missing:
        return f"it has no '{missing[0]}'", "complete it or delete it"
    if image is None:
        return f"no image has its image_id {shown(item['image_id'])}", "add the image or delete the annotation"
    if not category:
        return (
            f"no category has its category_id {shown(item['category_id'])}",
            "add the category or correct the id",
        )
    box = item.get("bbox")
    # An annotation without a mask may have an empty box, too.
    if box not in (None, []) and not is_box(box):
        return "its bbox is not four finite numbers x, y, width, height", "correct or delete the bbox"
    return None


def _object(
    id: int, shape: Any, box: list[float] | None, image: ImageRecord, category: str, runs: np.ndarray | None
) -> ObjectRecord:
    if isinstance(shape, list):
        area, own_box = segmentation.polygon_area(shape), segmentation.polygon_box
        bbox = tuple(map(float, box)) if box else own_box(shape)
    else:
        runs = segmentation.runs_of(shape, image.height, image.width) if runs is None else runs
        area = float(rle.area_of(runs))
        bbox = tuple(map(float, box)) if box else rle.box_of(runs, image.height)
    return ObjectRecord(id, category, shape, bbox, area)  # type: ignore[arg-type]
