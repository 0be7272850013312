"""Recognising a DICOM segmentation by its first bytes, without pydicom, which takes time to load."""

from __future__ import annotations

from pathlib import Path

from dentasam.data.images.dicom.detect import HEAD_BYTES, looks_like_dicom
from dentasam.data.links import is_link_out

# SOP classes, PS3.4 B.5.
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"


def is_segmentation(path: Path) -> bool:
    """Whether a file is a DICOM segmentation; False for a pipe, a link out of the source, and what cannot be read."""
    if not path.is_file() or is_link_out(path):
        return False
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except (OSError, ValueError):
        return False
    return any(found.encode() in head for found in (SEGMENTATION, LABEL_MAP)) and looks_like_dicom(path)
