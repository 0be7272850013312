"""Results of a search in DICOM JSON (PS3.18 F), read without trust in their types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dentasam.data.pacs.uids import is_uid

STUDY, SERIES, INSTANCE, SOP_CLASS = 0x0020000D, 0x0020000E, 0x00080018, 0x00080016
MODALITY, FRAMES = 0x00080060, 0x00280008


@dataclass(frozen=True)
class Instance:
    """An instance that a server lists; the UIDs are checked. modality: empty where the server does not say."""

    study: str
    series: str
    uid: str
    modality: str = ""
    frames: int = 1

    @property
    def path(self) -> str:
        """Where the instance lies below the address of the service."""
        return f"studies/{self.study}/series/{self.series}/instances/{self.uid}"


def instance_in(entry: Mapping[str, Any]) -> Instance | None:
    """The instance that a result describes; None where one of its UIDs is missing or is not a UID."""
    study, series, uid = (first_value(entry, tag) for tag in (STUDY, SERIES, INSTANCE))
    if not (is_uid(study) and is_uid(series) and is_uid(uid)):
        return None
    modality, frames = first_value(entry, MODALITY), first_value(entry, FRAMES)
    shown = modality if isinstance(modality, str) and modality.isalnum() and len(modality) <= 16 else ""
    return Instance(str(study), str(series), str(uid), shown, _count(frames))


def first_value(entry: Mapping[str, Any], tag: int) -> Any:
    """The first value of an attribute; None where it is missing or empty."""
    return next(iter(values_of(entry, tag)), None)


def values_of(entry: Any, tag: int) -> list[Any]:
    """The values of an attribute; none where it is missing or has another form than the standard's."""
    element = entry.get(tag_text(tag)) if isinstance(entry, dict) else None
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []


def items(entry: Any, tag: int) -> list[dict[str, Any]]:
    """The items of a sequence."""
    return [value for value in values_of(entry, tag) if isinstance(value, dict)]


def tag_text(tag: int) -> str:
    """A tag as DICOM JSON writes it: eight digits."""
    return f"{tag:08X}"


def _count(value: Any) -> int:
    # An integer string is a number in DICOM JSON; some servers write it as a string.
    try:
        return int(value) if isinstance(value, int | float | str) else 1
    except (ValueError, OverflowError):
        return 1
