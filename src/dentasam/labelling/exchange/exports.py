"""What leaves the labelling tool: COCO, PNG masks, the correction log and the time table.

Images go by their path relative to the image folder; no absolute path and nothing of a DICOM header leaves.
"""

import json
import os
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any
from urllib.parse import quote

import cv2
import numpy as np

from dentasam.atomic_write import write_atomically
from dentasam.data.dataset import Category, Dataset, ImageRecord, ObjectRecord
from dentasam.data.formats.folders import inner_name, short_names
from dentasam.data.masks import rle
from dentasam.errors import OutputError
from dentasam.labelling.log.cases import Case
from dentasam.labelling.log.fold import CaseState, ObjectState, undone_ids
from dentasam.labelling.log.operations import ChangeMask, Create, Status, StoredOperation, document_of
from dentasam.labelling.log.store import Store
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.workspace.label_schema import LabelSchema
from dentasam.labelling.workspace.workspace import Workspace

# An object that nobody has labelled yet is work all the same, and a dataset wants a category.
UNLABELLED = "unlabelled"
FINISHED: frozenset[Status] = frozenset({"done", "approved"})
FIRST_FREE_CATEGORY = 101  # FDI numbers end at 85


def dataset(store: Store, workspace: Workspace, statuses: Collection[Status] | None = None) -> Dataset:
    """The cases as a Dataset, for `Dataset.write` and `formats.export_dataset`.

    statuses: which cases, all by default; FINISHED are those that are done or approved. Deleted objects and empty
    masks are left out, overlap is kept.
    """
    images: list[ImageRecord] = []
    number = 0
    paths = {image.name: image.path for image in workspace.images}
    for case, state in _chosen(store, workspace, statuses):
        records: list[ObjectRecord] = []
        for known in _exported(state):
            number += 1
            runs = known.mask.coco_runs(case.height, case.width)
            category = known.category or UNLABELLED
            records.append(ObjectRecord.from_runs(number, category, runs, case.height, case.width))
        path = paths[case.name]
        images.append(ImageRecord(case.id, path, case.name, case.width, case.height, (), tuple(records)))
    used = {record.category for image in images for record in image.objects}
    return Dataset(workspace.folder, tuple(images), _categories(workspace.schema, used))


def coco(store: Store, workspace: Workspace, statuses: Collection[Status] | None = None) -> dict[str, Any]:
    """COCO with image paths relative to the image folder, so that a file written there trains as it is.

    Beside COCO's own keys an annotation has `object` (its id here), `parent` (another annotation's id), `source`,
    `accepted`, `annotator`, `score` and `model`, each where it is known.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    # One case at a time: the masks of a whole worklist would fill the memory.
    for case, state in _chosen(store, workspace, statuses):
        images.append({"id": case.id, "file_name": case.name, "width": case.width, "height": case.height, "tags": []})
        exported = _exported(state)
        numbers = {known.id: number for number, known in enumerate(exported, start=len(annotations) + 1)}
        for known in exported:
            own = _annotation(case, known, numbers[known.id])
            if known.parent in numbers:
                own["parent"] = numbers[known.parent]
            annotations.append(own)
    categories = _categories(workspace.schema, {own["category_id"] for own in annotations})
    ids = {category.name: category.id for category in categories}
    for own in annotations:
        own["category_id"] = ids[own["category_id"]]
    kinds = [{"id": kind.id, "name": kind.name, "supercategory": kind.supercategory} for kind in categories]
    return {"info": {}, "licenses": [], "images": images, "annotations": annotations, "categories": kinds}


def write_coco(store: Store, workspace: Workspace, path: Path, statuses: Collection[Status] | None = None) -> Path:
    """Writes `coco` to a file, all or nothing, its image paths relative to that file.

    Raises OutputError where the images do not lie in or below the file's folder, and where it cannot be written.
    """
    path = Path(os.path.abspath(path))
    # Both resolved, since one of them may have come by a link.
    here, images_in = path.parent.resolve(), workspace.folder.resolve()
    if not images_in.is_relative_to(here):
        raise OutputError(
            f"{path} does not lie beside the images; write it into {workspace.folder} or a folder above it"
        )
    content = coco(store, workspace, statuses)
    inner = PurePosixPath(images_in.relative_to(here).as_posix())
    for image in content["images"]:
        image["file_name"] = (inner / image["file_name"]).as_posix()
    try:
        with write_atomically(path, durable=True) as draft, draft.open("w", encoding="utf-8") as file:
            json.dump(content, file)
    except OSError as fault:
        raise OutputError(f"{path} cannot be written ({fault.strerror}); choose another place") from None
    return path


def write_png_zip(
    store: Store, workspace: Workspace, file: IO[bytes], statuses: Collection[Status] | None = None
) -> int:
    """Writes a ZIP with a PNG per object, laid out as the dataset format `png` has them, and returns their number.

    The images themselves are not in it: put them beside `masks/` as `images/` to import it again.
    """
    finished = dataset(store, workspace, statuses)
    short = short_names(inner_name(image) for image in finished.images)
    written = 0
    # PNG is compressed already.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for image in finished.images:
            for record in image.objects:
                coded = cv2.imencode(".png", record.mask(image.height, image.width).astype(np.uint8) * 255)[1]
                name = f"{record.id:05d}_{quote(record.category, safe=' ')}.png"
                archive.writestr(f"masks/{short[inner_name(image)]}/{name}", coded.tobytes())
                written += 1
    return written


def log_lines(store: Store, workspace: Workspace, statuses: Collection[Status] | None = None) -> Iterator[str]:
    """The correction log, a JSON object per line and object: what the model proposed and what the hand made of it.

    Masks are COCO RLE on the whole image. `prediction` is the first proposal, by the model or imported; `steps` every
    change of the mask with its prompts or stroke, `undone` where it was taken back; `final` the mask at the end.
    Deleted objects are there too: that a proposal was thrown away is a correction.
    """
    for case, state in _chosen(store, workspace, statuses):
        if not state.objects:
            continue
        # Of the log one mask per object is wanted; it is read when its turn comes.
        log = store.operations(case.id, masks=False)
        taken_back = undone_ids(log)
        by_object: dict[str, list[StoredOperation]] = {id: [] for id in state.objects}
        for stored in log:
            if stored.operation.object is not None:
                by_object[stored.operation.object].append(stored)
        for known in state.objects.values():
            first = next((stored for stored in by_object[known.id] if _proposes(stored)), None)
            if first is not None:
                (first,) = store.operations(case.id, first.revision - 1, 1)
            entry = _entry(case, known, by_object[known.id], first, taken_back)
            yield json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n"


def _chosen(
    store: Store, workspace: Workspace, statuses: Collection[Status] | None
) -> Iterator[tuple[Case, CaseState]]:
    names = {image.name for image in workspace.images}
    for case in store.cases():
        if case.name in names and (statuses is None or case.status in statuses):
            yield case, store.state(case.id)


def _exported(state: CaseState) -> list[ObjectState]:
    return [known for known in state.present if known.area]


def _categories(schema: LabelSchema, used: set[str]) -> tuple[Category, ...]:
    """The schema's labels, then those that objects still have though the schema lost them.

    A tooth's id is its FDI number.
    """
    kinds: dict[str, str] = {label.name: label.kind for label in schema.labels}
    kinds |= dict.fromkeys(sorted(used - kinds.keys()), "other")
    found: list[Category] = []
    free = FIRST_FREE_CATEGORY
    for name, kind in kinds.items():
        if kind == "tooth" and name.isascii() and name.isdigit() and 11 <= int(name) <= 85 and str(int(name)) == name:
            found.append(Category(int(name), name, kind))
        else:
            found.append(Category(free, name, kind))
            free += 1
    return tuple(found)


def _annotation(case: Case, known: ObjectState, number: int) -> dict[str, Any]:
    """An annotation whose category still goes by its name."""
    runs = known.mask.coco_runs(case.height, case.width)
    own: dict[str, Any] = {
        "id": number,
        "image_id": case.id,
        "category_id": known.category or UNLABELLED,
        "segmentation": _coded(runs, case),
        "area": known.area,
        "bbox": list(rle.box_of(runs, case.height)),
        "iscrowd": 0,
        "object": known.id,
        "source": known.source,
        "accepted": known.accepted,
        "annotator": known.annotator,
    }
    if known.score is not None:
        own["score"] = known.score
    if known.model is not None:
        own["model"] = _model(known.model)
    return own


def _entry(
    case: Case,
    known: ObjectState,
    log: list[StoredOperation],
    proposal: StoredOperation | None,
    taken_back: set[str],
) -> dict[str, Any]:
    models = [stored.operation.data.model for stored in log if isinstance(stored.operation, ChangeMask)]
    model = next((given for given in reversed(models) if given is not None), None)
    return {
        "image": case.name,
        "width": case.width,
        "height": case.height,
        "status": case.status,
        "object": known.id,
        "category": known.category,
        "parent": known.parent,
        "source": known.source,
        "accepted": known.accepted,
        "deleted": known.deleted,
        "annotators": list(dict.fromkeys(stored.annotator for stored in log)),
        "started": log[0].received,
        "finished": log[-1].received,
        "prompts": known.prompts,
        "model": _model(model.model_dump(mode="json")) if model else None,
        "prediction": _step(case, proposal, taken_back, with_mask=True) if proposal else None,
        "steps": [_step(case, s, taken_back) for s in log if isinstance(s.operation, ChangeMask)],
        "final": _mask(known.mask, case),
        "painted": _mask(known.painted, case),
        "erased": _mask(known.erased, case),
    }


def _proposes(stored: StoredOperation) -> bool:
    operation = stored.operation
    if isinstance(operation, Create):
        return operation.data.source != "manual" and operation.mask is not None
    return isinstance(operation, ChangeMask) and operation.data.model is not None and operation.undoes is None


def _step(case: Case, stored: StoredOperation, taken_back: set[str], with_mask: bool = False) -> dict[str, Any]:
    operation = stored.operation
    data = document_of(operation)["data"]
    step: dict[str, Any] = {"operation": operation.id, "revision": stored.revision, "annotator": stored.annotator}
    step |= {"time": operation.time, "received": stored.received, "undone": operation.id in taken_back}
    if operation.undoes is not None:
        step["undoes"] = operation.undoes
    step |= {key: data[key] for key in ("tool", "prompts", "stroke", "source") if data.get(key) is not None}
    if data.get("model") is not None:
        step["model"] = _model(data["model"])
    if with_mask and isinstance(operation, Create | ChangeMask) and operation.mask is not None:
        step["mask"] = _mask(operation.mask, case)
    return step


def _mask(mask: BoxMask, case: Case) -> dict[str, Any]:
    return _coded(mask.coco_runs(case.height, case.width), case)


def _coded(runs: np.ndarray, case: Case) -> dict[str, Any]:
    return {"size": [case.height, case.width], "counts": rle.to_string(runs, case.height, case.width)}


def _model(model: dict[str, Any]) -> dict[str, Any]:
    """The model as it may leave: one that was named by its path goes by its file name."""
    return model | {key: _bare(model[key]) for key in ("name", "adapter") if model.get(key)}


def _bare(name: str) -> str:
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    if posix.is_absolute() or windows.drive or windows.root:
        return windows.name or posix.name
    return name
