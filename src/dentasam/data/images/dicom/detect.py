"""Recognising a DICOM file by its first bytes, without its suffix and without pydicom."""

import struct
from collections.abc import Iterator
from pathlib import Path

# (byte order, whether the VR is written): the encodings of a data set, PS3.5 A.
ENCODINGS = (("<", True), ("<", False), (">", True), (">", False))
# VRs whose length takes four bytes after two reserved ones, and VRs whose length takes two.
LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
SHORT_VRS = frozenset(
    {"AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO"}
    | {"LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US"}
)
# Elements in order that make a header. A written VR is not there by chance; without VRs one more is required.
MIN_EXPLICIT_ELEMENTS, MIN_IMPLICIT_ELEMENTS = 2, 3
HEAD_BYTES = 4096


def looks_like_dicom(path: Path) -> bool:
    """Whether a file is DICOM by its first bytes: the mark after the preamble, or elements of a header.

    Devices and archives also write files without preamble and suffix, which start with group 0002 or 0008 in any
    encoding. False for a file that cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except (OSError, ValueError):
        return False
    return head[128:132] == b"DICM" or encoding_of(head) is not None


def encoding_of(head: bytes) -> tuple[str, bool] | None:
    """Byte order (`<` or `>`) and whether the VR is written, of bytes that start with the elements of a header.

    None where they do not start with group 0002 or 0008.
    """
    for order, explicit in ENCODINGS:
        enough = MIN_EXPLICIT_ELEMENTS if explicit else MIN_IMPLICIT_ELEMENTS
        tags: list[tuple[int, int]] = []
        for tag in _tags(head, order, explicit):
            if (tags and tag <= tags[-1]) or (not tags and tag[0] not in (0x0002, 0x0008)):
                break
            tags.append(tag)
            if len(tags) == enough:
                return order, explicit
    return None


def _tags(head: bytes, order: str, explicit: bool) -> Iterator[tuple[int, int]]:
    """The tags of the elements in the bytes, up to the first that cannot be an element."""
    at = 0
    while at + 12 <= len(head):
        group, element = struct.unpack_from(order + "HH", head, at)
        vr = head[at + 4 : at + 6].decode("latin-1")
        if explicit and vr not in LONG_VRS | SHORT_VRS:
            return
        yield group, element
        if not explicit:
            at += 8 + struct.unpack_from(order + "I", head, at + 4)[0]
        elif vr in LONG_VRS:
            at += 12 + struct.unpack_from(order + "I", head, at + 8)[0]
        else:
            at += 8 + struct.unpack_from(order + "H", head, at + 6)[0]
