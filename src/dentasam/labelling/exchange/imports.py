"""Imports the objects of COCO files into the worklist as pre-annotations, to be corrected rather than drawn.

The ids of the operations are computed from their content, so importing the same file twice changes nothing, and an
object that was deleted since stays deleted.
"""

import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from dentasam.data.coco.annotations import read_mask
from dentasam.data.coco.categories import read_categories
from dentasam.data.coco.passed_over import Reason
from dentasam.data.coco.problem import Problem
from dentasam.data.coco.values import whole
from dentasam.data.masks import rle, segmentation
from dentasam.data.record import ImageRecord
from dentasam.data.spelling import canonical
from dentasam.errors import DatasetError
from dentasam.labelling.exchange.exports import UNLABELLED
from dentasam.labelling.exchange.import_report import ImportReport, SkippedItems
from dentasam.labelling.log.cases import Case
from dentasam.labelling.log.operations import Operation, parse_operation
from dentasam.labelling.log.store import Store
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.workspace.workspace import case_name

ANNOTATOR = "import"
MAX_CATEGORY_LENGTH = 200
NAMESPACE = uuid.UUID("6f1c2a54-59c5-4b8e-9d0b-5f7f0c6c0d1e")


@dataclass(frozen=True, slots=True)
class _CocoObject:
    """An object of a COCO file: its annotation's id, its RLE runs on the whole image, its parent's annotation id."""

    annotation: int
    category: str | None
    runs: np.ndarray
    parent: int | None = None


def import_images(store: Store, images: Iterable[tuple[Case, ImageRecord]]) -> int:
    """Imports the objects of images of a dataset into their cases, all in one transaction; returns how many are new.

    Raises DatasetError if a mask cannot be decoded; then none is imported.
    """
    created: dict[int, Sequence[Operation]] = {}
    for case, image in images:
        found = [
            _CocoObject(record.id, _label(record.category), runs)
            for record, runs in zip(image.objects, image.each_runs(), strict=True)
        ]
        created[case.id] = list(_create_operations(case, found))
    return store.import_objects(created, ANNOTATOR)


def import_coco(store: Store, document: Any, annotator: str = ANNOTATOR) -> ImportReport:
    """Imports the objects of a COCO document into the cases of the same name and size.

    A name is the path relative to the image folder, or the file's name alone if only one case has it. Images that
    are not in the worklist and annotations that are not objects (see `data.coco`) are skipped. Raises DatasetError,
    before anything is stored, for the first error, and if no annotation has a mask.
    """
    images, annotations, names = _parts_of(document)
    cases = store.cases()
    skipped = SkippedItems()
    by_image = _match_images(images, cases, skipped)
    found: defaultdict[int, list[_CocoObject]] = defaultdict(list)
    seen: set[int] = set()
    masks = 0
    for position, item in enumerate(annotations):
        id = whole(item.get("id")) if isinstance(item, Mapping) else None
        if id is None or id in seen:
            raise DatasetError(f"annotations[{position}] has no whole-number id of its own; give it one")
        seen.add(id)
        image = whole(item.get("image_id"))
        if image is None or image not in by_image:
            raise DatasetError(f"annotation {id}: no image has its image_id; add the image or delete the annotation")
        case = by_image[image]
        if case is None:
            skipped.add_object_of_image()
            continue
        category = names.get(whole(item.get("category_id")))
        if category is None:
            raise DatasetError(f"annotation {id}: no category has its category_id; correct it")
        reading = read_mask(dict(item), case.height, case.width)
        if reading.error is not None:
            raise DatasetError(f"annotation {id}: {reading.error[0]}; {reading.error[1]}")
        if reading.reason is not None:
            skipped.add_annotation(case.name, id, reading.reason)
        masks += reading.segmentation is not None
        if reading.segmentation is not None and reading.reason is not Reason.crowd:
            runs = segmentation.runs_of(reading.segmentation, case.height, case.width)
            found[case.id].append(_CocoObject(id, _label(category), runs, whole(item.get("parent"))))
    if skipped.objects > skipped.objects_of_images and not masks:
        raise DatasetError("no annotation has a mask; export masks (polygons or RLE), not boxes alone")
    known = {case.id: case for case in cases}
    counts = [_store_objects(store, known[id], objects, annotator) for id, objects in found.items()]
    return ImportReport(sum(counts), sum(count > 0 for count in counts), skipped)


def _store_objects(store: Store, case: Case, found: list[_CocoObject], annotator: str) -> int:
    return store.import_objects({case.id: list(_create_operations(case, found))}, annotator)


def _create_operations(case: Case, found: list[_CocoObject]) -> Iterator[Operation]:
    now = int(time.time() * 1000)
    keys = {item.annotation: _key(case, item) for item in found}
    for item in _parents_first(found):
        key = keys[item.annotation]
        yield parse_operation(
            {
                "id": str(uuid.uuid5(key, "create")),
                "kind": "create",
                "object": str(key),
                "time": now,
                "data": {
                    "category": item.category,
                    "parent": str(keys[item.parent]) if item.parent in keys else None,
                    "source": "import",
                },
                "mask": _box_mask(item.runs, case.height),
            }
        )


def _key(case: Case, item: _CocoObject) -> uuid.UUID:
    """The object's id, which is the same for the same annotation with the same mask and label."""
    counts = rle.to_string(item.runs, case.height, case.width)
    return uuid.uuid5(NAMESPACE, f"{case.name}\n{item.annotation}\n{item.category}\n{counts}")


def _parents_first(found: list[_CocoObject]) -> list[_CocoObject]:
    """The objects, each after its parent; parents that form a circle or do not exist are dropped."""
    waiting = {item.annotation: item for item in found}
    ordered: list[_CocoObject] = []
    placed: set[int] = set()
    while waiting:
        ready = [item for item in waiting.values() if item.parent in placed or item.parent not in waiting]
        if not ready:
            ready = [_CocoObject(item.annotation, item.category, item.runs) for item in waiting.values()]
        for item in ready:
            ordered.append(item)
            placed.add(item.annotation)
            del waiting[item.annotation]
    return ordered


def _label(category: str) -> str | None:
    shown = "".join(letter for letter in category if letter.isprintable())[:MAX_CATEGORY_LENGTH]
    return shown if shown and shown != UNLABELLED else None


def _box_mask(runs: np.ndarray, height: int) -> BoxMask:
    """The mask of COCO's run lengths; only the object's own columns are decoded."""
    return BoxMask(*rle.decode_box(runs, height))


def _parts_of(document: Any) -> tuple[list[Any], list[Any], dict[int | None, str]]:
    if not isinstance(document, Mapping):
        raise DatasetError("the document is not a COCO dataset (not a JSON object); export it as COCO instances")
    lists = [document.get(key) for key in ("images", "annotations", "categories")]
    images, annotations, categories = lists
    if not isinstance(images, list) or not isinstance(annotations, list) or not isinstance(categories, list):
        raise DatasetError("it lacks a list of images, annotations or categories; export it as COCO instances")
    used = {whole(item.get("category_id")) for item in annotations if isinstance(item, Mapping)}
    return images, annotations, {kind.id: kind.name for kind in read_categories(categories, used, _refuse)}


def _refuse(problem: Problem) -> None:
    raise DatasetError(f"{problem.what}; {problem.fix}")


def _match_images(images: list[Any], cases: Iterable[Case], skipped: SkippedItems) -> dict[int, Case | None]:
    """The case of each image by the image's id, None for an image that is skipped."""
    by_name: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        for name in {case.name, canonical(case.name), canonical(PurePosixPath(case.name).name)}:
            by_name[name].append(case)
    exact = {case.name: case for case in cases}
    found: dict[int, Case | None] = {}
    for position, item in enumerate(images):
        id, given = (whole(item.get("id")), item.get("file_name")) if isinstance(item, Mapping) else (None, None)
        if id is None or not isinstance(given, str):
            raise DatasetError(f"images[{position}] has no whole-number id or no file_name; give it both")
        name = case_name(given)
        ways = (canonical(name), canonical(PurePosixPath(name).name))
        same = [exact[name]] if name in exact else next((by_name[way] for way in ways if way in by_name), [])
        if len(same) != 1:
            skipped.add_image(given, "several images here have its name" if same else "it is not in the worklist")
            found[id] = None
            continue
        (case,) = same
        size = whole(item.get("width")), whole(item.get("height"))
        if size != (case.width, case.height):
            raise DatasetError(
                f"image {id} ({case.name}) is {case.width}x{case.height} pixels here, the document says "
                f"{size[0]}x{size[1]}; export the masks at the image's size"
            )
        found[id] = case
    return found
