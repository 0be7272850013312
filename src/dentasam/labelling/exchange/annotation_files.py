"""Imports annotations of any dataset format into the worklist as pre-annotations: a file, or an archive of files.

The formats are those of `dentasam.data.formats`. Their readers find the images of the worklist in place of files that
lie beside the annotations.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path
from typing import Any

from dentasam.data.formats.catalogue import Format
from dentasam.data.formats.coco import json_in
from dentasam.data.formats.interface import ReadOptions, SourceRecord, loaded
from dentasam.data.formats.registry import UNRECOGNISED, check_numbering, choose, reading_module
from dentasam.data.formats.sources.archive import Limits, is_archive, unpack
from dentasam.data.formats.sources.glance import roots_of
from dentasam.data.formats.sources.images import ImageNotFound, SourceImage, SourceImages
from dentasam.data.formats.tooth_names import ASK, CONVERT, fdi_names
from dentasam.data.links import check_no_link_out
from dentasam.data.record import ImageRecord
from dentasam.data.teeth.numbering import Numbering
from dentasam.documents.error import DocumentError
from dentasam.documents.json_document import read_dataset_json
from dentasam.errors import DatasetError, ImageError
from dentasam.labelling.exchange.import_bounds import ImportBounds
from dentasam.labelling.exchange.import_report import ImportReport, SkippedItems
from dentasam.labelling.exchange.imports import import_coco
from dentasam.labelling.exchange.pre_annotations import ImportedObject, label_of, store_objects
from dentasam.labelling.log.cases import Case
from dentasam.labelling.log.store import Store
from dentasam.labelling.workspace.workspace import CaseImage

SOURCE = "source"
# Of an archive that somebody drops on the page; larger ones are imported by the command.
LIMITS = Limits(members=200_000, total_bytes=4 * 10**9, file_bytes=10**9)
UNKNOWN = "is not annotations of a known format; see dentasam data formats"
# Messages name the options of the command otherwise here.
WORDS = {ASK: "choose FDI, Universal or Palmer", CONVERT: "", f": {UNRECOGNISED}": f" {UNKNOWN}"}


def import_annotation_file(
    store: Store,
    images: Sequence[CaseImage],
    file: Path,
    annotator: str,
    format: Format | None = None,
    numbering: Numbering | None = None,
    bounds: ImportBounds | None = None,
) -> ImportReport:
    """Imports a file's objects into the cases of the images that it names; returns what is new and what was skipped.

    format: recognised if left out. numbering: how teeth are numbered in the file, recognised if left out. Images that
    are not in the worklist are skipped. bounds: on the masks that it stores, checked case by case. Raises
    DatasetError, before anything is stored, for the first error; NumberingUnknown where the numbering must be given.
    """
    bounds = bounds or ImportBounds()
    with tempfile.TemporaryDirectory(prefix="dentasam-") as scratch, _naming(file, Path(scratch)):
        places = [file]
        if is_archive(file):
            unpack(file, Path(scratch) / SOURCE, limits=LIMITS, check=bounds.check)
            places = roots_of(Path(scratch) / SOURCE)
        chosen, place = choose(format, places)
        check_numbering(chosen, numbering, file)
        if chosen is Format.coco:
            found = import_coco(store, _document(place), annotator, numbering, file.name, bounds)
            return replace(found, notes=_named(found.notes, file, Path(scratch)))
        cases = {case.name: case for case in store.cases()}
        skipped, notes = SkippedItems(), list[str]()
        reading = ReadOptions(Path(scratch), report=notes.append, numbering=numbering)
        contents = reading_module(chosen).read(place, _worklist(images, cases), reading)
        records = list(_loaded(contents.records, skipped, file, Path(scratch), bounds))
        names = [item.category for record in records for item in record.objects]
        stated = None if contents.renumbered else numbering
        fdi = fdi_names(names, stated, contents.numbering, file, notes.append, contents.assumed)
        counts = [_stored(store, cases[record.file_name], record, fdi, annotator, bounds) for record in records]
        lines = _named(notes, file, Path(scratch))
        return ImportReport(sum(counts), sum(count > 0 for count in counts), skipped, lines)


def _stored(
    store: Store, case: Case, record: ImageRecord, fdi: dict[str, str], annotator: str, bounds: ImportBounds
) -> int:
    objects = [
        ImportedObject(
            item.id or number,
            label_of(fdi.get(item.category, item.category)),
            partial(item.runs, case.height, case.width),
        )
        for number, item in enumerate(record.objects, start=1)
    ]
    return store_objects(store, case, objects, annotator, bounds) if objects else 0


def _loaded(
    records: Sequence[SourceRecord], skipped: SkippedItems, file: Path, scratch: Path, bounds: ImportBounds
) -> Iterator[ImageRecord]:
    """The records of images in the worklist, one for each image: of several annotators' results the first."""
    seen: set[str] = set()
    for record in records:
        bounds.check()
        (where,) = _named([record.where], file, scratch)
        try:
            image = loaded(record)
        except ImageNotFound:
            skipped.add_image(where, "its image is not in the worklist, or several there have its name")
            continue
        if image.file_name in seen:
            skipped.add_image(where, "another result for the same image came before it")
            continue
        seen.add(image.file_name)
        yield image


def _document(place: Path) -> Any:
    path = json_in(place) if place.is_dir() else place
    if path is None:
        raise DatasetError(f"{place} {UNKNOWN}")
    try:
        check_no_link_out(path)
        # An import shares the processor with the other requests.
        return read_dataset_json(path)
    except (OSError, DocumentError):
        raise DatasetError(f"{path} {UNKNOWN}") from None


@contextmanager
def _naming(file: Path, scratch: Path) -> Iterator[None]:
    """Names files in messages as `_named`. An image in the upload that cannot be read is an error of the upload."""
    try:
        yield
    except (DatasetError, ImageError) as error:
        (line,) = _named([str(error)], file, scratch)
        kind = DatasetError if isinstance(error, ImageError) else type(error)
        raise kind(line) from None


def _named(lines: Iterable[str], file: Path, scratch: Path) -> tuple[str, ...]:
    """Lines with files named by their place in what was imported, since nobody knows the server's own copies."""
    # The longer paths come first, of which others are the beginning.
    names = {
        str(scratch / SOURCE): file.name,
        str(scratch): file.name,
        str(file): file.name,
        str(file.parent): f"the folder of {file.name}",
    } | WORDS
    return tuple(reduce(lambda line, known: line.replace(known, names[known]), names, line) for line in lines)


def _worklist(images: Sequence[CaseImage], cases: dict[str, Case]) -> SourceImages:
    known = [image for image in images if image.name in cases]
    return SourceImages(
        [SourceImage(image.name, image.path, (image.height, image.width)) for image in known],
        "the worklist",
        partial=True,
    )
