"""Header elements read as tolerantly as viewers do: numbers of any VR, decimal commas, empty or broken values."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pydicom
from pydicom.datadict import dictionary_VR, tag_for_keyword

from dentasam.data.images.size_limit import MAX_VALUE_BYTES
from dentasam.documents.values import number_in

# One number of each binary VR, in the notation of `struct`.
BINARY = {
    "US": "H",
    "SS": "h",
    "UL": "I",
    "SL": "i",
    "UV": "Q",
    "SV": "q",
    "FL": "f",
    "FD": "d",
    "OB": "B",
    "OW": "H",
    "OL": "I",
    "OF": "f",
    "OD": "d",
}


class UnreadableError(ValueError):
    """An image of a form that is not read. The message follows the file's name: `has …`, `is …`."""


@dataclass(frozen=True)
class Elements:
    """A data set, or an item of a sequence; `report` takes a line about each oddity."""

    dataset: pydicom.Dataset
    report: Callable[[str], None]

    def has(self, keyword: str) -> bool:
        """Whether the element is there, even if empty."""
        return keyword in self.dataset

    def numbers(self, keyword: str) -> list[float | None]:
        """The element's values, None for each that is empty or not a number; [] where it is missing or empty.

        Values of 16 bits whose VR depends on the pixels (`US or SS`) are read as unsigned unless SS is written.
        """
        content, vr, order = self._short_content(keyword)
        if vr == "OB":
            # Bytes in place of numbers: they hold numbers of 16 bits.
            vr = "US"
        if vr in BINARY:
            code = BINARY[vr]
            count = len(content) // struct.calcsize(code)
            return [float(value) for value in struct.unpack_from(f"{order}{count}{code}", content)]
        text = content.decode("latin-1")
        if not text.strip(" \0"):
            return []
        if "," in text:
            self.report(f"has a decimal comma in {keyword}; it is read as a point")
        return [_number(part) for part in text.split("\\")]

    def number(self, keyword: str) -> float | None:
        """The first value; None where the element is missing, empty or not a number."""
        return (self.numbers(keyword) or [None])[0]

    def integer(self, keyword: str) -> int | None:
        """The first value as a whole number; None where there is none."""
        value = self.number(keyword)
        return int(value) if value is not None and abs(value) < 2**53 else None

    def text(self, keyword: str) -> str:
        """The value in capitals without padding; empty where the element is missing."""
        content, _, _ = self._short_content(keyword)
        return content.decode("latin-1").strip(" \0").upper()

    def items(self, keyword: str) -> "list[Elements]":
        """The items of a sequence; [] where it is missing, empty or broken."""
        if not self.has(keyword):
            return []
        try:
            return [Elements(item, self.report) for item in self.dataset[keyword].value or ()]
        except Exception:
            # pydicom parses a sequence on access, and raises exceptions of almost any type where it is broken.
            return []

    def content(self, keyword: str) -> tuple[bytes, str, str]:
        """The element's bytes, its VR and its byte order (`<` or `>`); no bytes where it is missing."""
        tag = tag_for_keyword(keyword)
        assert tag is not None
        if tag not in self.dataset:
            return b"", "", "<"
        # The raw element: pydicom's conversion raises where a value is malformed. Empty elements and those of
        # undefined length are converted already.
        element: Any = self.dataset.get_item(tag)
        vr = element.VR if element.VR not in (None, "UN") else dictionary_VR(tag).split(" or ")[0]
        content = element.value if isinstance(element.value, bytes) else b""
        return content, vr, "<" if getattr(element, "is_little_endian", True) else ">"

    def _short_content(self, keyword: str) -> tuple[bytes, str, str]:
        """As `content`. Raises UnreadableError where it is too long for numbers or a text."""
        content, vr, order = self.content(keyword)
        if len(content) > MAX_VALUE_BYTES:
            raise UnreadableError(f"has a {keyword} of {len(content):,} bytes")
        return content, vr, order


def _number(text: str) -> float | None:
    try:
        return number_in(text.strip(" \0").replace(",", "."))
    except ValueError:
        return None
