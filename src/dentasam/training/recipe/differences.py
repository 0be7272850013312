"""In what two recipes differ, for the line that refuses to resume a run with another one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel

from dentasam.documents.shown import cut, printable

_MOST_SHOWN, _LONGEST_VALUE = 4, 40


def differences(before: BaseModel, now: BaseModel, left_out: Collection[str] = ()) -> list[str]:
    """Each setting that differs with both values. left_out: top-level settings that may differ."""
    old, new = before.model_dump(mode="json"), now.model_dump(mode="json")
    return [line for key in new if key not in left_out for line in _of(key, old.get(key), new[key])]


def listed(found: list[str]) -> str:
    """The differences as one line, the first few of many."""
    more = len(found) - _MOST_SHOWN
    return ", ".join(found[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _of(key: str, old: Any, new: Any) -> list[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping) and old.keys() == new.keys():
        return [line for inner in new for line in _of(f"{key}.{inner}", old[inner], new[inner])]
    if old == new:
        return []
    return [
        f"{key}: {cut(printable(str(new)), _LONGEST_VALUE)} instead of {cut(printable(str(old)), _LONGEST_VALUE)}"
    ]
