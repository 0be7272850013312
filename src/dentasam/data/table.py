"""CSV tables whose texts no spreadsheet takes for a formula.

A program that opens a CSV runs a cell that begins like a formula, and file names, categories and annotators may come
from anywhere. Such a text gets an apostrophe in front, as OWASP advises for CSV injection; `as_written` takes it off
again. Numbers stay numbers, also negative ones.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# At the start of a line of the text: what begins a formula, full-width forms too, also behind spaces and quotes,
# which some programs drop. Apostrophes are among them, to tell a text that had one before from one that got it.
_FORMULA = r"(?=[\s\"'\u00a0\ufeff]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20])"
_START = r"(\A|[\r\n])"
_ESCAPE, _RESTORE = re.compile(_START + _FORMULA), re.compile(_START + "'" + _FORMULA)


def cell(value: object) -> object:
    """What to write for a value: a text that begins like a formula gets an apostrophe, all else stays."""
    if not isinstance(value, str) or NUMBER.fullmatch(value):
        return value
    return _ESCAPE.sub(r"\1'", value)


def as_written(text: str) -> str:
    """The text that `cell` was given."""
    return _RESTORE.sub(r"\1", text)


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """The rows as CSV, each cell as `cell` has it."""
    return "".join(_line([cell(value) for value in row]) for row in rows)


def _line(row: Sequence[object]) -> str:
    """One row. The writer puts a text in quotes for a character of its line end, so it is told both of them."""
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow(row)
    return line.getvalue().removesuffix("\r\n") + "\n"
