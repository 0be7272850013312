"""Values of a document as an error shows them: in one line, cut, and without characters that a terminal obeys."""

import math
import reprlib
from typing import Any

from dentasam.visible_text import printable as printable

LENGTH = 60
# Of what another library says of a document.
MAX_REASON = 200


def shown(value: Any, length: int = LENGTH) -> str:
    """A value as Python writes it, at most `length` characters; for a nested or long one only its beginning."""
    return cut(printable(_REPR.repr(value)), length)


def cut(text: str, length: int = LENGTH) -> str:
    """The beginning of a text."""
    return text if len(text) <= length else text[: length - 1] + "…"


def without_middle(text: str, length: int) -> str:
    """A text of at most `length` characters: where it is longer, its beginning and its end."""
    if len(text) <= length:
        return text
    behind = (length - 1) // 2
    return f"{text[: length - 1 - behind]}…{text[-behind:]}"


class _Repr(reprlib.Repr):
    """Looks at a few items of a value, and at whole numbers without writing all their digits."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxdict, self.maxlist, self.maxtuple = 4, 4, 6, 6
        self.maxstring = self.maxlong = self.maxother = 2 * LENGTH

    def repr_int(self, x: int, level: int) -> str:
        digits = 1 if x == 0 else int(math.log10(abs(x))) + 1
        return repr(x) if digits <= 3 * LENGTH else f"a number of {digits} digits"


_REPR = _Repr()
