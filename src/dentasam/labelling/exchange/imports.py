"""Imports the objects of COCO files into the worklist as pre-annotations."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from dentasam.data.coco.annotations import read_mask
from dentasam.data.coco.categories import read_categories
from dentasam.data.coco.passed_over import Reason
from dentasam.data.coco.problem import Problem
from dentasam.data.formats.tooth_names import declared, fdi_names
from dentasam.data.masks import segmentation
from dentasam.data.record import ImageRecord
from dentasam.data.spelling import canonical
from dentasam.data.teeth.numbering import MARK, Numbering
from dentasam.documents.values import whole
from dentasam.errors import DatasetError
from dentasam.labelling.exchange.import_bounds import ImportBounds
from dentasam.labelling.exchange.import_report import ImportReport, SkippedItems
from dentasam.labelling.exchange.pre_annotations import (
    BATCH,
    DrawnObject,
    ImportedObject,
    create_operations,
    label_of,
    store_objects,
)
from dentasam.labelling.log.cases import Case
from dentasam.labelling.log.operations import Operation
from dentasam.labelling.log.store import Store
from dentasam.labelling.workspace.workspace import case_name

ANNOTATOR = "import"


def import_images(store: Store, images: Iterable[tuple[Case, ImageRecord]]) -> int:
    """Imports the objects of images of a dataset into their cases, all in one transaction; returns how many are new.

    Raises DatasetError if a mask cannot be decoded; then none is imported.
    """
    created: dict[int, Sequence[Operation]] = {}
    for case, image in images:
        drawn: list[DrawnObject] = []
        for start in range(0, len(image.objects), BATCH):
            part = replace(image, objects=image.objects[start : start + BATCH])
            for record, runs in zip(part.objects, part.each_runs(), strict=True):
                draw = partial(record.runs, case.height, case.width)
                item = ImportedObject(record.id, label_of(record.category), draw)
                drawn.append(DrawnObject.of(case, item, runs))
        created[case.id] = list(create_operations(drawn, {}))
    return store.import_objects(created, ANNOTATOR)


def import_coco(
    store: Store,
    document: Any,
    annotator: str = ANNOTATOR,
    numbering: Numbering | None = None,
    name: str = "the document",
    bounds: ImportBounds | None = None,
) -> ImportReport:
    """Imports the objects of a COCO document into the cases of the same name and size.

    A name is the path relative to the image folder, or the file's name alone if only one case has it. Images that
    are not in the worklist and annotations that are not objects (see `data.coco`) are skipped. numbering: how its
    teeth are numbered; left out, as its `info` says, else FDI. name: of the document, for messages. bounds: on the
    masks that it stores. Raises DatasetError, before anything is stored, for the first error, and if no annotation
    has a mask; NumberingUnknown where its teeth are clearly not numbered in FDI. What is beyond `bounds` is found
    when the cases before it are stored.
    """
    bounds = bounds or ImportBounds()
    images, annotations, names = _parts_of(document)
    notes: list[str] = []
    fdi = fdi_names(names.values(), numbering, _declared_in(document), Path(name), notes.append, Numbering.fdi)
    cases = store.cases()
    skipped = SkippedItems()
    by_image = _match_images(images, cases, skipped)
    found: defaultdict[int, list[ImportedObject]] = defaultdict(list)
    seen: set[int] = set()
    masks = 0
    for position, item in enumerate(annotations):
        bounds.check()
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
            label = label_of(fdi.get(category, category))
            # Drawn when it is stored: the masks of all objects together may not fit the memory.
            draw = partial(segmentation.runs_of, reading.segmentation, case.height, case.width)
            found[case.id].append(ImportedObject(id, label, draw, whole(item.get("parent"))))
    if skipped.objects > skipped.objects_of_images and not masks:
        raise DatasetError("no annotation has a mask; export masks (polygons or RLE), not boxes alone")
    known = {case.id: case for case in cases}
    counts = [store_objects(store, known[id], objects, annotator, bounds) for id, objects in found.items()]
    return ImportReport(sum(counts), sum(count > 0 for count in counts), skipped, tuple(notes))


def _parts_of(document: Any) -> tuple[list[Any], list[Any], dict[int | None, str]]:
    if not isinstance(document, Mapping):
        raise DatasetError("the document is not a COCO dataset (not a JSON object); export it as COCO instances")
    lists = [document.get(key) for key in ("images", "annotations", "categories")]
    images, annotations, categories = lists
    if not isinstance(images, list) or not isinstance(annotations, list) or not isinstance(categories, list):
        raise DatasetError("it lacks a list of images, annotations or categories; export it as COCO instances")
    used = {whole(item.get("category_id")) for item in annotations if isinstance(item, Mapping)}
    kinds = read_categories(categories, used, _refuse)
    return images, annotations, {kind.id: kind.name for kind in kinds if kind.id in used}


def _declared_in(document: Mapping[str, Any]) -> Numbering | None:
    """The numbering that a document of our own states."""
    info = document.get("info")
    return declared(info.get(MARK)) if isinstance(info, Mapping) else None


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
        if id in found:
            raise DatasetError(f"images[{position}] has the id {id} of another image; give every image its own id")
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
