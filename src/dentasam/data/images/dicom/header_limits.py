"""Keeping pydicom from headers of millions of elements, which take minutes and gigabytes.

pydicom reads each element of a file, and of sequences without a stated length, with two or three reads: these are
counted. Sequences of a stated length are parsed on access, as long values are split; both have a largest size.
"""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement

from dentasam.data.images.size_limit import MAX_ELEMENTS, MAX_SEQUENCE_BYTES, MAX_VALUE_BYTES
from dentasam.errors import ImageError

READS_OF_AN_ELEMENT = 3
# The VRs of which pydicom makes an object for each of many values.
SPLIT_VRS = frozenset(
    {"AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "PN", "SH", "SL", "SS", "SV", "TM", "UC", "UI"}
    | {"UL", "US", "UV"}
)
PIXEL_GROUP = 0x7FE0


class _Reads:
    """Counts the reads of a file."""

    def __init__(self, path: Path) -> None:
        self._path, self._left = path, READS_OF_AN_ELEMENT * MAX_ELEMENTS

    def count(self) -> None:
        """Raises ImageError where there were more than a header takes."""
        self._left -= 1
        if self._left < 0:
            raise ImageError(f"{self._path} has a header of over {MAX_ELEMENTS:,} elements; export it again")


class CountedFile(io.BufferedReader):
    """A file on disk."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._reads = _Reads(path)

    def read(self, size: int | None = -1, /) -> bytes:
        self._reads.count()
        return super().read(size)


class CountedBytes(io.BytesIO):
    """The content of a file in memory."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._reads = _Reads(path)

    def read(self, size: int | None = -1, /) -> bytes:
        self._reads.count()
        return super().read(size)


def check_elements(path: Path, dataset: pydicom.Dataset) -> None:
    """Raises ImageError for a sequence, or a value of several, that is too long to be split into its parts."""
    for element in dataset.elements():
        if not isinstance(element, RawDataElement) or not isinstance(element.value, bytes):
            continue
        length = len(element.value)
        if length <= MAX_VALUE_BYTES or element.tag.group == PIXEL_GROUP or element.tag.is_private:
            continue
        vr = _vr(element)
        if vr in SPLIT_VRS or (vr == "SQ" and length > MAX_SEQUENCE_BYTES):
            raise ImageError(f"{path} has an element {element.tag} of {length:,} bytes; export it again")


def _vr(element: RawDataElement) -> str:
    if element.VR not in (None, "UN"):
        return str(element.VR)
    try:
        return dictionary_VR(element.tag).split(" or ")[0]
    except KeyError:
        return "UN"
