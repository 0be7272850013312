"""Filters of a search, as the user writes them, and the check that the server applied them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from dentasam.data.pacs.results import tag_text, values_of
from dentasam.errors import PacsError

_TAG = re.compile(r"[0-9a-fA-F]{8}")
# Wildcards, and a list of values.
_PATTERN = re.compile(r"[*?,\\]")
_DATES = re.compile(r"([0-9]{8})?-([0-9]{8})?")
# Values of other kinds have several spellings: names of people, times.
_COMPARED = ("CS", "LO", "SH", "UI")
EXAMPLE = "Modality=PX or StudyDate=20240101-20241231"


def parse_filters(given: Sequence[str]) -> dict[str, str]:
    """Filters `KEY=VALUE` by their tag, eight hexadecimal digits. KEY is a DICOM keyword or a tag.

    Raises PacsError for a form, keyword or tag that is unknown, an empty value, and a key that repeats.
    """
    found: dict[str, str] = {}
    for entry in given:
        key, equals, value = (part.strip() for part in entry.partition("="))
        if not equals or not key or not value or not value.isprintable():
            raise PacsError(f"--filter {entry!r:.60} is not KEY=VALUE; write for example {EXAMPLE}")
        tag = int(key, 16) if _TAG.fullmatch(key) else tag_for_keyword(key)
        if tag is None:
            raise PacsError(
                f"--filter {key!r:.60} is not a DICOM keyword or a tag of eight digits; write for example {EXAMPLE}"
            )
        if tag_text(tag) in found:
            raise PacsError(f"--filter {key} is given twice; give one value, with * or ? for a pattern")
        found[tag_text(tag)] = value
    return found


def names_of(filters: Mapping[str, str]) -> str:
    """The keywords of filters, for messages: their values may name a patient."""
    return ", ".join(keyword_for_tag(int(tag, 16)) or tag for tag in filters)


def check_applied(base: str, filters: Mapping[str, str], entry: Mapping[str, Any]) -> None:
    """Raises PacsError where a result contradicts a filter: a server may ignore what it does not know.

    Exact values and ranges of dates are compared, where the result holds the attribute.
    """
    for tag, wanted in filters.items():
        values = values_of(entry, int(tag, 16))
        if values and not any(_fits(tag, wanted, str(value).strip()) for value in values):
            name = names_of({tag: wanted})
            raise PacsError(f"{base} does not apply the filter {name}; leave it out, or filter by another attribute")


def _fits(tag: str, wanted: str, value: str) -> bool:
    try:
        kind = dictionary_VR(int(tag, 16))
    except KeyError:
        return True
    dates = _DATES.fullmatch(wanted)
    if kind == "DA" and dates is not None:
        first, last = dates.groups()
        return (first or "") <= value <= (last or "9")
    if _PATTERN.search(wanted) or kind not in (*_COMPARED, "DA"):
        return True
    return value.casefold() == wanted.casefold()
