"""Numbers of documents, which may be true, 10**400, 1e308 or NaN."""

import math
from typing import Any

# Ids and sizes go into databases and files as 64 bits with a sign.
MAX_WHOLE = 1 << 63
# Pixels. Far outside of every image, and still exact in the single precision that a model computes in.
MAX_COORDINATE = 1e9


def whole(value: Any) -> int | None:
    """A whole number of 64 bits, also one written as 7.0; None for anything else."""
    if type(value) is float and value.is_integer() and abs(value) < MAX_WHOLE:
        return int(value)
    return value if type(value) is int and -MAX_WHOLE <= value < MAX_WHOLE else None


def finite(value: Any) -> float | None:
    """A finite number as a float; None for anything else, such as true, and for what a float does not hold."""
    if type(value) not in (int, float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def coordinate(value: Any) -> float | None:
    """A coordinate in pixels, which may lie outside of the image; None for anything else."""
    number = finite(value)
    return number if number is not None and abs(number) <= MAX_COORDINATE else None


def whole_in(text: str) -> int:
    """The whole number that a text is, in digits of ASCII. Raises ValueError.

    Python's own reading also takes 1_0 and the digits of other scripts, which no other program reads so.
    """
    return int(_ascii(text))


def number_in(text: str) -> float:
    """The number that a text is, in digits of ASCII; also NaN and infinity. Raises ValueError, as `whole_in`."""
    return float(_ascii(text))


def is_digits(text: str) -> bool:
    """Whether a text is nothing but digits of ASCII, one at least."""
    return text.isascii() and text.isdigit()


def _ascii(text: str) -> str:
    if not text.isascii() or "_" in text:
        raise ValueError("not a number in digits of ASCII")
    return text
