"""JSON whose depth and numbers are bounded.

Python's reader raises RecursionError for what is nested too deeply, ValueError for whole numbers of many thousand
digits, and takes 1e400 for infinity; of two equal keys it keeps the last.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dentasam.documents.error import DocumentError
from dentasam.documents.shown import cut, printable, shown
from dentasam.documents.text import DATASET_BYTES, SETTINGS_BYTES, decoded, read_text

MAX_DEPTH = 100
MAX_DIGITS = 100
# In longer texts, which hold millions of numbers, these are left to who uses them, as in a dataset.
CHECKED_CHARACTERS = 1 << 24
# Strings, and in group 1 what is none: numbers, constants and words.
_TOKENS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|([-+.\w]++)', re.DOTALL)


def read_json(path: Path, limit: int = SETTINGS_BYTES, *, unique: bool = False, finite: bool = False) -> Any:
    """The content of a JSON file of at most `limit` bytes; otherwise as `parse_json`. Raises OSError as well."""
    return parse_json(read_text(path, limit), unique=unique, finite=finite)


def read_dataset_json(path: Path) -> Any:
    """The content of a large JSON file, read about as fast as Python reads it: numbers are not checked.

    A number may be infinite, or a whole number of thousands of digits. A key that an object has twice is refused:
    the objects under the first one would be lost. Raises OSError and DocumentError.

    Python's own reader lets no other thread run; the function of ours for each object does.
    """
    return _loaded(read_text(path, DATASET_BYTES), MAX_DEPTH, _but_numbers, object_pairs_hook=_unrepeated)


def parse_json(
    text: str | bytes,
    *,
    unique: bool = False,
    finite: bool = False,
    depth: int = MAX_DEPTH,
    containers: int | None = None,
    numbers: bool = True,
) -> Any:
    """The content of a JSON text, nested at most `depth` deep, in which no number has more than MAX_DIGITS digits.

    In a text of more than CHECKED_CHARACTERS, numbers are as in `read_dataset_json`.

    unique: refuse a key that an object has twice. finite: refuse NaN and Infinity, which Python's writer makes.
    containers: how many lists and objects are taken, counted before any is made; brackets in strings count too.
    numbers: False leaves their size to who uses the content, which is read faster. Raises DocumentError.
    """
    if isinstance(text, bytes):
        try:
            text = decoded(text)
        except UnicodeError:
            raise DocumentError("not text in UTF-8") from None
    if containers is not None and text.count("[") + text.count("{") > containers:
        raise DocumentError(f"more than {containers} lists and objects; give it in parts")
    reader = _Numbers(text)
    hooks: dict[str, Any] = {}
    is_short = len(text) <= CHECKED_CHARACTERS
    if numbers and is_short:
        hooks |= {"parse_int": reader.whole, "parse_float": reader.decimal}
    if unique:
        hooks["object_pairs_hook"] = _unrepeated
    if finite:
        hooks["parse_constant"] = reader.constant
    return _loaded(text, depth, _all_inside if is_short or not numbers else _but_numbers, **hooks)


def _loaded(text: str, depth: int, inner: Callable[[Any], Iterable[Any]], **hooks: Any) -> Any:
    try:
        content = json.loads(text, **hooks)
    except json.JSONDecodeError as error:
        empty = not text.strip()
        raise DocumentError("empty" if empty else error.msg, error.lineno, error.colno, empty=empty) from None
    except DocumentError:
        raise
    except RecursionError:
        raise _too_deep(depth) from None
    except ValueError:
        # Python refuses whole numbers of many thousand digits with advice for programmers.
        raise DocumentError("a number with thousands of digits") from None
    if _is_deeper([content], depth, inner):
        raise _too_deep(depth)
    return content


def _too_deep(depth: int) -> DocumentError:
    return DocumentError(f"nested more than {depth} levels deep")


def _is_deeper(content: Any, depth: int, inner: Callable[[Any], Iterable[Any]]) -> bool:
    level = [content]
    for _ in range(depth + 1):
        level = [item for each in level for item in inner(each) if type(item) is dict or type(item) is list]
        if not level:
            return False
    return True


def _all_inside(value: Any) -> Iterable[Any]:
    return value.values() if type(value) is dict else value if type(value) is list else ()


def _but_numbers(value: Any) -> Iterable[Any]:
    """As `_all_inside`, without lists that begin with a number, such as the millions of coordinates of polygons."""
    inside = _all_inside(value)
    return () if type(value) is list and value and type(value[0]) in (float, int) else inside


class _Numbers:
    """Reads the numbers of a text, each as it is written."""

    def __init__(self, text: str) -> None:
        self._text = text

    def whole(self, written: str) -> int:
        if len(written) > MAX_DIGITS:
            raise self._error(f"a number with {len(written)} digits", written)
        return int(written)

    def decimal(self, written: str) -> float:
        value = float(written)
        if math.isinf(value):
            raise self._error(f"the number {cut(written)} is too large", written)
        return value

    def constant(self, written: str) -> float:
        raise self._error(f"{written} is not a JSON number", written)

    def _error(self, reason: str, written: str) -> DocumentError:
        # The first one that is written so: every one of them is refused.
        found = (token.start(1) for token in _TOKENS.finditer(self._text) if token[1] == written)
        return DocumentError.at(reason, self._text, next(found, 0))


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        seen: set[str] = set()
        key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise DocumentError(f"{shown(key)} is there twice", key=cut(printable(key)))
    return content
