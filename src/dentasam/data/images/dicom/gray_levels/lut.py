"""Lookup tables of a header (modality, VOI, palette), with corrections of common errors.

PS3.3 C.11.1.1, C.11.2.1.1 and C.7.6.3.1.5: a descriptor of three numbers (entries, first mapped value, bits of an
entry) and the entries.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dentasam.data.images.dicom.elements import Elements

WRAP = 1 << 16


@dataclass(frozen=True)
class LookupTable:
    """entries (n,) int64; first: the value that the first entry is for; bits: of an entry, as declared."""

    entries: np.ndarray
    first: int
    bits: int

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """The entries for values of any shape; those before and after the table take its first and last entry."""
        return self.from_first(values, self.first_for(values))

    def from_first(self, values: np.ndarray, first: int) -> np.ndarray:
        """As a call, with the first mapped value that `first_for` gives for all values of the image."""
        places = np.rint(values).astype(np.int64) - first
        return self.entries[np.clip(places, 0, len(self.entries) - 1)]

    def first_for(self, values: np.ndarray) -> int:
        """The first mapped value, shifted by 65536 where the table would otherwise miss all of the values.

        Its 16 bits are signed or unsigned like the pixels; writers confuse the two in both directions.
        """
        low, high = values.min(), values.max()
        for first in (self.first, self.first - WRAP, self.first + WRAP):
            if first <= high and low < first + len(self.entries):
                return first
        return self.first

    @property
    def full(self) -> int:
        """The entry that stands for white: what the declared bits hold.

        Declared bits that no entry needs, or that an entry exceeds, are wrong; the greatest entry is white then.
        """
        greatest = int(self.entries.max())
        return (1 << self.bits) - 1 if 1 << (self.bits - 1) <= greatest < 1 << self.bits else greatest


def table_of(elements: Elements, descriptor: str = "LUTDescriptor", data: str = "LUTData") -> LookupTable | None:
    """The table of an item of a sequence, or of a palette's channel; None where it is missing, empty or too short."""
    stated = elements.numbers(descriptor)
    content, vr, order = elements.content(data)
    if len(stated) < 3 or None in stated[:3] or not content:
        return None
    count, first, bits = (int(value or 0) for value in stated[:3])
    count = count % WRAP or WRAP
    entries = _entries(content, vr, order, count)
    if entries is None or not 1 <= bits <= 16:
        return None
    return LookupTable(entries, first, bits)


def _entries(content: bytes, vr: str, order: str, count: int) -> np.ndarray | None:
    """The entries (count,) int64 of two bytes, or of one where there are just enough bytes for that.

    Two entries of one byte in a word of 16 bits lie with the first in its low byte (PS3.5 8.1.1).
    """
    if vr not in ("US", "SS", "OW", "OB", "UN"):
        return None
    if len(content) >= 2 * count:
        return np.frombuffer(content, f"{order}u2", count).astype(np.int64)
    if len(content) not in (count, count + count % 2):
        return None
    if vr != "OB" and order == ">" and len(content) % 2 == 0:
        content = np.frombuffer(content, ">u2").astype("<u2").tobytes()
    return np.frombuffer(content, np.uint8, count).astype(np.int64)
