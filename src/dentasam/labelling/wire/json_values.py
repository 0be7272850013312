"""JSON in what clients send: bounded in depth, in its number of lists and objects, and in the size of its numbers.

A few bytes of JSON can take twenty times their size once parsed, or be a number that no column, array or coordinate
holds.
"""

import math
from typing import Any

from dentasam.documents.error import DocumentError
from dentasam.documents.json_document import parse_json
from dentasam.documents.values import MAX_WHOLE

MAX_DEPTH = 32
MAX_CONTAINERS = 1_000_000


def parse(text: bytes | str) -> Any:
    """The value of a JSON text, whose numbers are left to `check_number`. Raises DocumentError."""
    return parse_json(text, finite=True, depth=MAX_DEPTH, containers=MAX_CONTAINERS, numbers=False)


def bounded(text: bytes | str) -> Any:
    """The value of a JSON text, all of it within the limits. Raises DocumentError."""
    value = parse(text)
    _check_numbers(value)
    return value


def check_number(value: Any) -> None:
    """Raises DocumentError for an int or a float that is too large; other values are taken."""
    if type(value) is int and not -MAX_WHOLE <= value < MAX_WHOLE:
        raise DocumentError("a whole number of more than 64 bits")
    if type(value) is float and not math.isfinite(value):
        raise DocumentError("a number that is too large")


def _check_numbers(value: Any) -> None:
    if not isinstance(value, dict | list):
        check_number(value)
        return
    for item in value.values() if isinstance(value, dict) else value:
        _check_numbers(item)
