"""The tables of a run folder, read a row at a time: each value is checked where it is read.

Such a folder may come from a stranger, and what is in it goes into means that are believed.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn, TypeGuard

from dentasam.data.table import as_written
from dentasam.documents.shown import shown
from dentasam.documents.text import DATASET_BYTES
from dentasam.documents.values import MAX_COORDINATE, MAX_WHOLE, number_in, whole_in
from dentasam.evaluation.run_files.errors import EVALUATE_AGAIN, RunError
from dentasam.files.regular_file import open_regular

# Characters of a line: the clicks of an object and what became of them; its names are short.
MAX_LINE = 1 << 20
# Digits of a number, with its sign, point and exponent.
MAX_NUMBER = 40
_CELL = re.compile(r'(?:"(?:[^"]|"")*+(?:"|\Z)|[^,"]++)?+(?:,|\Z)')


class Row:
    """One row; the columns by their names. Each method raises RunError, which names file, row and column."""

    def __init__(self, path: Path, number: int, cells: dict[str, str]) -> None:
        self._path, self._number, self._cells = path, number, cells

    def __contains__(self, column: str) -> bool:
        return column in self._cells

    def raw(self, column: str) -> str:
        """The text as it is in the file."""
        if column not in self._cells:
            raise RunError(f"{self._path}: row 1 has no column {column}; {EVALUATE_AGAIN}")
        return self._cells[column]

    def text(self, column: str) -> str:
        """The text as it was before it was written."""
        return as_written(self.raw(column))

    def tags(self, column: str = "tags") -> tuple[str, ...]:
        return split_tags(self.text(column))

    def whole(self, column: str, low: int = -MAX_WHOLE, high: int = MAX_WHOLE - 1) -> int:
        """A whole number from low to high, of 64 bits unless they say otherwise."""
        text = self.raw(column)
        value = _whole(text)
        if value is None or not low <= value <= high:
            span = "of 64 bits" if low == -MAX_WHOLE else f"from {low} to {high}"
            self.refuse(column, f"{shown(text)} is not a whole number {span}")
        return value

    def share(self, column: str) -> float:
        """A number from 0 to 1, as Dice, IoU and surface Dice are."""
        text = self.raw(column)
        value = _number(text)
        if value is None or not 0 <= value <= 1:
            self.refuse(column, f"{shown(text)} is not a number from 0 to 1")
        return value

    def length(self, column: str) -> float:
        """A distance or a time: finite, and 0 or more."""
        text = self.raw(column)
        value = _number(text)
        if value is None or not 0 <= value <= MAX_COORDINATE:
            self.refuse(column, f"{shown(text)} is not a number from 0 on")
        return value

    def size(self, column: str) -> float:
        """As `length`, and more than 0."""
        value = self.length(column)
        if value == 0:
            self.refuse(column, "0 is not a size")
        return value

    def clicks(self, column: str, most: int) -> tuple[tuple[tuple[float, float], ...], tuple[int, ...]]:
        """x, y and label of each click; from one to `most`."""
        given = self.text(column).split(";", most)
        if len(given) > most:
            self.refuse(column, f"more than the {most} clicks of the run")
        points, labels = [], []
        for click in given:
            x, y, label = (_number(part) for part in _three(click))
            if not (_is_coordinate(x) and _is_coordinate(y) and label in (0, 1)):
                self.refuse(column, f"{shown(click)} is not a click, `x y 1` or `x y 0`")
            points.append((x, y))
            labels.append(int(label))
        return tuple(points), tuple(labels)

    def flags(self, column: str, count: int) -> tuple[bool, ...] | None:
        """1 or 0 of each of `count` clicks; None for an empty cell."""
        text = self.raw(column)
        if not text:
            return None
        if len(text) != 2 * count - 1 or not set(text[::2]) <= {"0", "1"} or set(text[1::2]) - {";"}:
            self.refuse(column, f"{shown(text)} is not 1 or 0 for each of {count} clicks")
        return tuple(flag == "1" for flag in text[::2])

    def refuse(self, column: str, reason: str) -> NoReturn:
        raise RunError(f"{self._path}: row {self._number}, column {column}: {reason}; {EVALUATE_AGAIN}")


def table_rows(path: Path, limit: int = DATASET_BYTES) -> Iterator[Row]:
    """The rows of a CSV file of at most `limit` bytes, of which one at a time is in memory; the heading is row 1.

    Raises RunError where it is no such table, and where it cannot be read: it is missing, or not a regular file.
    """
    number = 1
    lines: _Lines | None = None
    try:
        with open_regular(path) as file, io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
            if os.fstat(file.fileno()).st_size > limit:
                raise RunError(f"{path}: is larger than {limit >> 20} MB; {EVALUATE_AGAIN}")
            lines = _Lines(text, limit)
            reader = csv.reader(lines)
            heading = next(reader, [])
            if len(set(heading)) < len(heading):
                twice = next(name for name in heading if heading.count(name) > 1)
                raise RunError(f"{path}: row 1 has column {shown(twice)} twice; {EVALUATE_AGAIN}")
            number = 2
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(heading):
                    raise RunError(
                        f"{path}: row {number} has {len(cells)} columns, row 1 has {len(heading)}; {EVALUATE_AGAIN}"
                    )
                yield Row(path, number, dict(zip(heading, cells, strict=True)))
                number += 1
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); {EVALUATE_AGAIN}") from error
    except UnicodeError:
        raise RunError(f"{path}: near row {number}: is not text in UTF-8; {EVALUATE_AGAIN}") from None
    except _TooLargeError:
        raise RunError(f"{path}: is larger than {limit >> 20} MB; {EVALUATE_AGAIN}") from None
    except (csv.Error, _TooLongError):
        column = "" if lines is None or number == 1 else _long_column(lines.last, heading)
        raise RunError(
            f"{path}: row {number}{column}: is not CSV, or a text is far too long; {EVALUATE_AGAIN}"
        ) from None


class _TooLongError(Exception):
    """A line has more than MAX_LINE characters."""


class _TooLargeError(Exception):
    """A file has grown over its limit while it was read."""


class _Lines:
    """The lines of a text, none of which is read where it is too long; `last` is the newest."""

    def __init__(self, text: io.TextIOWrapper, limit: int) -> None:
        self._text, self._left, self.last = text, limit, ""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        self.last = self._text.readline(MAX_LINE)
        self._left -= len(self.last)
        if self._left < 0:
            raise _TooLargeError
        if len(self.last) == MAX_LINE:
            raise _TooLongError
        if not self.last:
            raise StopIteration
        return self.last


def _long_column(line: str, heading: list[str]) -> str:
    """The column of the first text that is longer than the CSV reader takes, for an error's line."""
    for name, cell in zip(heading, _CELL.finditer(line), strict=False):
        if len(cell[0]) > csv.field_size_limit():
            return f", column {name}"
    return ""


def joined_tags(tags: tuple[str, ...]) -> str:
    """Tags as one text, joined by `|`; what is one in a tag becomes `\\u007c`."""
    return "|".join(_TO_JOIN.sub(_escape, tag) for tag in tags)


def split_tags(text: str) -> tuple[str, ...]:
    """The tags of `joined_tags`."""
    return tuple(_JOINED.sub(_unescape, tag) for tag in text.split("|") if tag)


# With the backslashes before it: a bar, and what looks like an escaped one already.
_TO_JOIN = re.compile(r"(\\*)\||(\\+)(?=u007c)")
_JOINED = re.compile(r"(\\+)u007c")


def _escape(found: re.Match[str]) -> str:
    return 2 * found[2] if found[2] is not None else 2 * found[1] + "\\u007c"


def _unescape(found: re.Match[str]) -> str:
    backslashes, odd = divmod(len(found[1]), 2)
    return "\\" * backslashes + ("|" if odd else "u007c")


def _is_coordinate(value: float | None) -> TypeGuard[float]:
    return value is not None and abs(value) <= MAX_COORDINATE


def _three(click: str) -> list[str]:
    parts = click.split(" ", 3)
    return parts if len(parts) == 3 else [""] * 3


def _whole(text: str) -> int | None:
    try:
        return whole_in(text) if len(text) <= MAX_NUMBER else None
    except ValueError:
        return None


def _number(text: str) -> float | None:
    """A number, which may be infinite or NaN."""
    try:
        return number_in(text) if len(text) <= MAX_NUMBER else None
    except ValueError:
        return None
