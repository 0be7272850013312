"""CSV tables whose texts no spreadsheet takes for a formula.

A spreadsheet runs a cell that begins like a formula, and the names of files, categories and annotators may come from
anywhere. Such a text gets an apostrophe in front, as OWASP advises against CSV injection; `as_written` removes it.
Numbers, also negative ones, are left alone.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# At the start of a line of the text: what begins a formula, full-width forms too, also behind spaces and quotes,
# which some programs drop. Apostrophes are among them: a text that had one before differs from one that got it.
_FORMULA = r"(?=[\s\"'\u00a0\ufeff]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20])"
_START = r"(\A|[\r\n])"
_ESCAPE, _RESTORE = re.compile(_START + _FORMULA), re.compile(_START + "'" + _FORMULA)


def cell(value: object) -> object:
    """The value to write: a text that begins like a formula gets an apostrophe, everything else is unchanged."""
    if not isinstance(value, str) or NUMBER.fullmatch(value):
        return value
    return _ESCAPE.sub(r"\1'", value)


def as_written(text: str) -> str:
    """The text before `cell` escaped it."""
    return _RESTORE.sub(r"\1", text)


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """The rows as CSV, each value escaped by `cell`."""
    return "".join(_line([cell(value) for value in row]) for row in rows)


def _line(row: Sequence[object]) -> str:
    """One row. The writer quotes a text with a character of its own line end, so that must be both CR and LF."""
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow(row)
    return line.getvalue().removesuffix("\r\n") + "\n"
