"""The labels of a workspace as a dataset, as a COCO file, and as a ZIP of any dataset format.

Formats are written by `dentasam.data.formats`; to add one, see `formats/registry.py`. Images are named by their path
relative to the image folder: no absolute path and nothing of a DICOM header is exported.
"""

import json
import os
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any

from dentasam.data.dataset import Category, Dataset, ImageRecord, ObjectRecord
from dentasam.data.formats.catalogue import Format
from dentasam.data.formats.registry import write_annotations
from dentasam.data.formats.tooth_names import with_numbering
from dentasam.data.teeth.numbering import Numbering
from dentasam.errors import OutputError
from dentasam.files.atomic_write import write_atomically
from dentasam.labelling.log.cases import Case
from dentasam.labelling.log.database.damage import Damage, DamagedData
from dentasam.labelling.log.fold import CaseState, ObjectState
from dentasam.labelling.log.operations import Status
from dentasam.labelling.log.store import Store
from dentasam.labelling.workspace.label_schema import LabelSchema
from dentasam.labelling.workspace.workspace import Workspace

# The category of an object without a label: it is exported too, and a dataset needs a category for it.
UNLABELLED = "unlabelled"
FINISHED: frozenset[Status] = frozenset({"done", "approved"})
FIRST_TOOTH_ID, LAST_TOOTH_ID = 11, 85  # FDI numbers
DAMAGED_FILE = "DAMAGED.txt"
FIRST_OTHER_ID = 101
PACKED_SUFFIXES = frozenset({".png", ".gz"})


def labelled_dataset(
    store: Store,
    workspace: Workspace,
    statuses: Collection[Status] | None = None,
    damages: list[Damage] | None = None,
) -> Dataset:
    """The cases of a workspace as a dataset, its images named relative to the image folder.

    statuses: which cases, all by default; FINISHED are those that are done or approved. Deleted objects, empty masks
    and proposals that nobody has accepted or changed are left out, overlap is kept. Each object has as `extra` keys
    of its annotation: `object` (its id in the workspace), `source`, `accepted`, `annotator`, and, where they are
    known, `score`, `model` and `parent` (the id of another annotation). An image has `missing`, the numbers of the
    teeth that were marked as missing on it, if there are any.

    What is damaged in the database is left out and listed, in `damages` and, a line each, as `damaged` in the
    dataset's `info`.
    """
    damages = [] if damages is None else damages
    images: list[ImageRecord] = []
    first_id = 1
    paths = {image.name: image.path for image in workspace.images}
    # One case at a time: the decoded masks of a whole worklist would not fit the memory.
    for case, state in chosen_cases(store, workspace, statuses, damages):
        exported = [known for known in state.present if known.area and not known.proposed]
        ids = {known.id: id for id, known in enumerate(exported, start=first_id)}
        first_id += len(exported)
        records = tuple(_record(case, known, ids) for known in exported)
        marked = {"missing": list(state.missing)} if state.missing else {}
        record = ImageRecord(case.id, paths[case.name], case.name, case.width, case.height, (), records, extra=marked)
        images.append(record)
    used = {record.category for image in images for record in image.objects}
    info = {"damaged": [damage.line for damage in damages]} if damages else {}
    return Dataset(workspace.folder, tuple(images), _categories(workspace.schema, used), info)


def coco_document(
    store: Store,
    workspace: Workspace,
    statuses: Collection[Status] | None = None,
    numbering: Numbering = Numbering.fdi,
    damages: list[Damage] | None = None,
) -> dict[str, Any]:
    """The COCO document of `labelled_dataset`. A file of it in the image folder can be trained on as it is.

    numbering: how teeth are numbered in it.
    """
    return with_numbering(labelled_dataset(store, workspace, statuses, damages), numbering).document()


def write_coco(
    store: Store,
    workspace: Workspace,
    path: Path,
    statuses: Collection[Status] | None = None,
    numbering: Numbering = Numbering.fdi,
    damages: list[Damage] | None = None,
) -> Path:
    """Writes the COCO document to a file, all or nothing, with image paths relative to that file.

    Raises OutputError where the images do not lie in or below the file's folder, and where it cannot be written.
    """
    path = Path(os.path.abspath(path))
    # Both are resolved, since one of them may have been reached through a link.
    folder, image_folder = path.parent.resolve(), workspace.folder.resolve()
    if not image_folder.is_relative_to(folder):
        raise OutputError(
            f"{path} does not lie beside the images; write it into {workspace.folder} or a folder above it"
        )
    inner = PurePosixPath(image_folder.relative_to(folder).as_posix())
    dataset = labelled_dataset(store, workspace, statuses, damages)
    images = tuple(replace(image, file_name=(inner / image.file_name).as_posix()) for image in dataset.images)
    content = with_numbering(replace(dataset, images=images), numbering).document()
    try:
        with write_atomically(path, durable=True) as draft, draft.open("w", encoding="utf-8") as file:
            json.dump(content, file)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}); choose another place") from None
    return path


def write_zip(
    format: Format,
    store: Store,
    workspace: Workspace,
    file: IO[bytes],
    statuses: Collection[Status] | None = None,
    numbering: Numbering = Numbering.fdi,
    damages: list[Damage] | None = None,
) -> tuple[str, ...]:
    """Writes a ZIP with the annotation files of a dataset format; returns what the format could not keep.

    What is damaged in the database is left out and listed, in `damages` and in the ZIP's file DAMAGED.txt.

    The images themselves are not in it: put them beside these files, where the format has them, to import it again.
    numbering: how teeth are numbered in it.
    """
    damages = [] if damages is None else damages
    dataset = labelled_dataset(store, workspace, statuses, damages)
    with zipfile.ZipFile(file, "w") as archive:

        def write(name: str, content: bytes) -> None:
            # PNG and its kind are compressed already.
            packed = PurePosixPath(name).suffix.lower() in PACKED_SUFFIXES
            archive.writestr(name, content, zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED)

        if damages:
            write(DAMAGED_FILE, "".join(f"{damage.line}\n" for damage in damages).encode())
        return write_annotations(format, dataset, write, numbering)


def chosen_cases(
    store: Store, workspace: Workspace, statuses: Collection[Status] | None, damages: list[Damage]
) -> Iterator[tuple[Case, CaseState]]:
    """The cases whose image is in the workspace and whose status is one of `statuses`, None for any.

    What is damaged of them is left out, and added to `damages`.
    """
    names = {image.name for image in workspace.images}
    store.complete()
    for case in store.cases():
        if case.name not in names or not (statuses is None or case.damaged or case.status in statuses):
            continue
        try:
            state = store.state(case.id)
        except DamagedData as error:
            damages += error.damages
            continue
        damages += state.damaged
        yield case, state


def without_paths(model: dict[str, Any]) -> dict[str, Any]:
    """A description of a model in which one that was named by its path is named by its file name."""
    return model | {key: _file_name(model[key]) for key in ("name", "adapter") if model.get(key)}


def _record(case: Case, known: ObjectState, ids: dict[str, int]) -> ObjectRecord:
    """An object as an annotation; ids: the annotations' ids by the objects' ids."""
    extra: dict[str, Any] = {
        "object": known.id,
        "source": known.source,
        "accepted": known.accepted,
        "annotator": known.annotator,
    }
    if known.score is not None:
        extra["score"] = known.score
    if known.model is not None:
        extra["model"] = without_paths(known.model)
    if known.parent in ids:
        extra["parent"] = ids[known.parent]
    runs = known.mask.coco_runs(case.height, case.width)
    category = known.category or UNLABELLED
    return replace(ObjectRecord.from_runs(ids[known.id], category, runs, case.height, case.width), extra=extra)


def _categories(schema: LabelSchema, used: set[str]) -> tuple[Category, ...]:
    """The schema's labels, then those that objects still have though they are no longer in the schema.

    A tooth's id is its FDI number.
    """
    kinds: dict[str, str] = {label.name: label.kind for label in schema.labels}
    kinds |= dict.fromkeys(sorted(used - kinds.keys()), "other")
    found: list[Category] = []
    other_id = FIRST_OTHER_ID
    for name, kind in kinds.items():
        if kind == "tooth" and _is_tooth_number(name):
            found.append(Category(int(name), name, kind))
        else:
            found.append(Category(other_id, name, kind))
            other_id += 1
    return tuple(found)


def _is_tooth_number(name: str) -> bool:
    if not (name.isascii() and name.isdigit()):
        return False
    return FIRST_TOOTH_ID <= int(name) <= LAST_TOOTH_ID and str(int(name)) == name


def _file_name(name: str) -> str:
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    if posix.is_absolute() or windows.drive or windows.root:
        return windows.name or posix.name
    return name
