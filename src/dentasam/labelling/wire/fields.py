"""Field types and limits that several documents between page and server share."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from dentasam.data.images.size_limit import PIXEL_LIMIT
from dentasam.visible_text import NO_WIDTH, visible

MAX_CLICKS = 2000  # of one object
MAX_COMMENT_LENGTH = 5000  # characters
# The patterns of page and server name characters beyond U+FFFF in different ways: `_seen` looks for those.
_NO_WIDTH = re.sub(r"\\U[0-9a-f]{8}(-\\U[0-9a-f]{8})?", "", NO_WIDTH)


def _number(value: Any) -> Any:
    """Refuses what Python would take for a number, and JSON does not."""
    if isinstance(value, bool | str | bytes):
        raise ValueError("a number is wanted")
    return value


def _seen(name: str) -> str:
    """Refuses variation selectors behind what has no other form, which no pattern of JSON schemas can tell."""
    if visible(name) != name:
        raise ValueError("it has a character that nobody sees")
    return name


# Values as JSON has them: a text is not a number, and neither is true or false. 1.0 is a whole number in JSON.
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_number)]
Switch = Annotated[bool, Field(strict=True)]
# Of a click: 1 positive, 0 negative.
Sign = Annotated[Literal[0, 1], BeforeValidator(_number)]
# The name of a label, a case or a person: one line without control characters.
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
# Of a new label: also without the C1 controls, what has no width, and whatever changes the writing direction or
# breaks the line. A title may have single direction marks, which languages that are written from right to left need.
NewName = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=200,
        pattern=rf"^[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069{_NO_WIDTH}]+$",
    ),
    AfterValidator(_seen),
]
NewTitle = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+$"),
]
# A coordinate in pixels of the image, which may lie outside of it.
Pixel = Annotated[Number, Field(ge=-PIXEL_LIMIT, le=PIXEL_LIMIT)]
