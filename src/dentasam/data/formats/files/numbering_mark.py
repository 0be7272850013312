"""The mark by which an export says how its teeth are numbered, so that an import need not ask."""

from __future__ import annotations

from pathlib import Path

from dentasam.data.dataset import Dataset
from dentasam.data.formats.files.folders import json_bytes, read_json_object
from dentasam.data.formats.interface import WriteFile
from dentasam.data.formats.tooth_names import declared
from dentasam.data.teeth.numbering import MARK, Numbering, Verdict, recognise

NUMBERING_NAME = "numbering.json"


def numbering_mark(dataset: Dataset) -> dict[str, str]:
    """The key and value to write: what the dataset states, else FDI; empty where its names are not FDI numbers."""
    stated = declared(dataset.info.get(MARK))
    if stated is not None:
        return {MARK: stated.value}
    names = [record.category for image in dataset.images for record in image.objects]
    found = recognise(names)
    fitting = found.numbering is Numbering.fdi or found.verdict is Verdict.ambiguous
    return {MARK: Numbering.fdi.value} if fitting else {}


def write_numbering(dataset: Dataset, write: WriteFile) -> None:
    """Writes `numbering.json` where the numbers are not FDI, for a format with no file that could hold the mark."""
    mark = numbering_mark(dataset)
    if mark.get(MARK, Numbering.fdi) != Numbering.fdi:
        write(NUMBERING_NAME, json_bytes(mark))


def read_numbering(source: Path) -> Numbering | None:
    """What `numbering.json` of a folder states, if anything. Raises DatasetError where it is not readable."""
    return declared(read_json_object(source / NUMBERING_NAME).get(MARK))
