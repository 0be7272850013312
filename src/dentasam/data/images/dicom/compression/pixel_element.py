"""The start of the pixel data element, which shows whether it can hold the image before it is read."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from dentasam.data.images.dicom.compression.codestream import Codestream, codestream_of
from dentasam.data.images.dicom.detect import LONG_VRS

# Float Pixel Data, Double Float Pixel Data and Pixel Data.
PIXEL_TAGS = ((0x7FE0, 0x0008), (0x7FE0, 0x0009), (0x7FE0, 0x0010))
UNDEFINED = 0xFFFFFFFF
ITEM = b"\xfe\xff\x00\xe0"
# Enough for the header of a compressed image with the colour profiles and comments that may lie before it.
START_BYTES = 65_536


@dataclass(frozen=True)
class PixelElement:
    """start: the first bytes of the value. length: of the value in the file, None where it is not stated."""

    start: bytes
    length: int | None

    def codestream(self) -> Codestream | None:
        """The header of the compressed image; None where it is not within the start."""
        at = 0
        # The first item is the table of offsets, the second is the image's first fragment.
        for _ in range(2):
            if self.start[at : at + 4] != ITEM or at + 8 > len(self.start):
                return None
            first = at + 8
            at = first + int.from_bytes(self.start[at + 4 : first], "little")
        try:
            return codestream_of(self.start[first:at])
        except (ValueError, struct.error):
            return None


def pixel_element(file: BinaryIO, order: str) -> PixelElement | None:
    """The element at which a file stands; None where it is not pixel data."""
    at = file.tell()
    head = file.read(START_BYTES)
    end = file.seek(0, 2)
    if len(head) < 12 or struct.unpack_from(f"{order}HH", head) not in PIXEL_TAGS:
        return None
    # By the element itself, as pydicom does: the encoding that the header states may be wrong.
    at_length, first = (8, 12) if head[4:6].decode("latin-1") in LONG_VRS else (4, 8)
    (length,) = struct.unpack_from(f"{order}I", head, at_length)
    return PixelElement(head[first:], None if length == UNDEFINED else min(length, end - at - first))
