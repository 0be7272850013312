"""Dates of DICOM, moved into the past by whole days; what is not a date of a day is dropped."""

from __future__ import annotations

import re
from datetime import date, timedelta

# PS3.5 6.2: YYYYMMDD, and YYYY.MM.DD of ACR-NEMA. A date and time starts with the date.
_DAY = re.compile(r"(\d{4})([.\-]?)(\d{2})\2(\d{2})(?!\d)|(\d{4})(\d{2})(\d{2})(?=\d{2})")


def day_of(text: str) -> date | None:
    """The day with which a DA or DT value starts; None where it starts with none."""
    found = _DAY.match(text.strip(" \0"))
    if not found:
        return None
    year, month, day = (int(part) for part in (found.group(1, 3, 4) if found.group(1) else found.group(5, 6, 7)))
    try:
        return date(year, month, day)
    except ValueError:
        return None


def shifted(text: str, days_earlier: int) -> str:
    """`YYYYMMDD`, so many days earlier, of a DA or DT value; its time of day is dropped.

    Empty for a value without a day, or a day that would lie before the year 1.
    """
    day = day_of(text)
    try:
        return (day - timedelta(days=days_earlier)).strftime("%Y%m%d").zfill(8) if day else ""
    except OverflowError:
        return ""


def spellings(day: date) -> set[str]:
    """The day as people and programs write it."""
    year, month, number = f"{day.year:04}", f"{day.month:02}", f"{day.day:02}"
    joined = {mark.join((year, month, number)) for mark in ("", "-", "/", ".", ":")}
    joined |= {mark.join((number, month, year)) for mark in ("-", "/", ".")}
    return joined | {f"{month}/{number}/{year}", f"{month}-{number}-{year}"}
