"""JSON in what clients send: bounded in depth, in its number of lists and objects, and in the size of its numbers.

A few bytes of JSON can take twenty times their size once parsed, or be a number that no column, array or coordinate
holds.
"""

import json
import math
from typing import Any, NoReturn

from dentasam.documents.error import DocumentError
from dentasam.documents.values import MAX_WHOLE

MAX_DEPTH = 32
MAX_CONTAINERS = 1_000_000


def parse(text: bytes | str) -> Any:
    """The value of a JSON text in UTF-8. Raises DocumentError; NaN and infinities are not JSON.

    The messages of all errors here go on from the name of the text, as in `is not JSON in UTF-8`.
    """
    try:
        return json.loads(str(text, "utf-8") if isinstance(text, bytes) else text, parse_constant=_refuse)
    except DocumentError:
        raise
    except (ValueError, RecursionError):
        raise DocumentError("is not JSON in UTF-8") from None


def bounded(text: bytes | str) -> Any:
    """The value of a JSON text, all of it within the limits. Raises DocumentError."""
    check_containers(text)
    value = parse(text)
    _check(value, 0)
    return value


def check_containers(text: bytes | str) -> None:
    """Raises DocumentError for a text with more lists and objects than are taken, before it is parsed."""
    if isinstance(text, bytes):
        containers = text.count(b"[") + text.count(b"{")
    else:
        containers = text.count("[") + text.count("{")
    if containers > MAX_CONTAINERS:
        raise DocumentError(f"has more than {MAX_CONTAINERS} lists and objects; send it in parts")


def check_number(value: Any) -> None:
    """Raises DocumentError for an int or a float that is too large; other values are taken."""
    if type(value) is int and not -MAX_WHOLE <= value < MAX_WHOLE:
        raise DocumentError("holds a whole number of more than 64 bits")
    if type(value) is float and not math.isfinite(value):
        raise DocumentError("holds a number that is too large")


def _check(value: Any, depth: int) -> None:
    if not isinstance(value, dict | list):
        check_number(value)
        return
    if depth > MAX_DEPTH:
        raise DocumentError(f"is nested deeper than {MAX_DEPTH} levels")
    for item in value.values() if isinstance(value, dict) else value:
        _check(item, depth + 1)


def _refuse(constant: str) -> NoReturn:
    raise DocumentError(f"holds {constant}, which is not a JSON number")
