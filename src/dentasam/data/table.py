"""CSV tables whose texts no spreadsheet takes for a formula.

A spreadsheet runs a cell that begins like a formula, and the names of files, categories and annotators may come from
anywhere. Such a text gets an apostrophe in front, as OWASP advises against CSV injection; `as_written` removes it.
Numbers, also negative ones, are left alone. Characters that nobody sees are written as `\\uXXXX`.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence

from dentasam.visible_text import escaped, unescaped

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# At the start of a line of the text: what begins a formula, full-width forms too, also behind spaces and quotes,
# which some programs drop, and behind characters of no width. Apostrophes are among them: a text that had one before
# differs from one that got it.
_DROPPED = r"[\s\"'\u00a0\u200b-\u200d\u2060\ufeff]*"
_FORMULA = rf"(?={_DROPPED}[=+\-@\t\r\uff1d\uff0b\uff0d\uff20])"
# Where decimals have a comma, spreadsheets also begin a new cell at a semicolon; a number behind one stays.
_AFTER_SEMICOLON = rf"(?={_DROPPED}(?:[=@\uff1d\uff0b\uff0d\uff20]|[+\-](?![0-9.])))"
_START = r"(\A|[\r\n])"
_ESCAPE = re.compile(rf"{_START}{_FORMULA}|(;){_AFTER_SEMICOLON}")
_RESTORE = re.compile(rf"{_START}'{_FORMULA}|(;)'{_AFTER_SEMICOLON}")


def cell(value: object) -> object:
    """The value to write: a text that begins like a formula gets an apostrophe, and unseen characters are escaped.

    Everything else is unchanged.
    """
    if not isinstance(value, str) or NUMBER.fullmatch(value):
        return value
    return _ESCAPE.sub(lambda found: f"{found[0]}'", escaped(value))


def as_written(text: str) -> str:
    """The text before `cell` escaped it."""
    return unescaped(_RESTORE.sub(lambda found: found[0][:-1], text))


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """The rows as CSV, each value escaped by `cell`."""
    return "".join(_line([cell(value) for value in row]) for row in rows)


def _line(row: Sequence[object]) -> str:
    """One row. The writer quotes a text with a character of its own line end, so that must be both CR and LF."""
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow(row)
    return line.getvalue().removesuffix("\r\n") + "\n"
