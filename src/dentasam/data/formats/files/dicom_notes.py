"""A line for the user where a tool cannot open the images that its annotations are for."""

from __future__ import annotations

from pathlib import PurePosixPath

from dentasam.data.dataset import Dataset
from dentasam.data.images.kind import DICOM_SUFFIXES


def dicom_notes(dataset: Dataset, tool: str) -> tuple[str, ...]:
    """A line where images are DICOM files, by their names; tool: a program that opens pictures only."""
    count = sum(PurePosixPath(image.file_name).suffix.lower() in DICOM_SUFFIXES for image in dataset.images)
    return (f"{count} image{'s' * (count != 1)} in DICOM, which {tool} does not open",) * bool(count)
