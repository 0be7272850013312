"""Single values of a COCO file, as exporters write them."""

from typing import Any

from dentasam.data.coco.problem import WhatAndFix
from dentasam.documents.text import half_letter, half_letter_line
from dentasam.documents.values import MAX_COORDINATE, whole


def name_text(value: Any) -> str | None:
    """A category's name; some tools write that of a tooth as a number. None for anything else."""
    if isinstance(value, str):
        return value or None
    number = whole(value)
    return None if number is None else str(number)


def half_letter_in(what: str, value: Any) -> WhatAndFix | None:
    """What is wrong where a text in the value has half of a character, which no file can hold. what: as `its tag`."""
    half = half_letter(value)
    if half is None:
        return None
    return f"{what} {half_letter_line(half)}", "write it anew"


def is_box(box: Any) -> bool:
    """Whether this is x, y, width, height with finite numbers and sizes of 0 or more."""
    if not isinstance(box, list) or len(box) != 4:
        return False
    if not set(map(type, box)) <= {int, float}:
        return False
    x, y, width, height = box
    most = MAX_COORDINATE
    return abs(x) <= most and abs(y) <= most and 0 <= width <= most and 0 <= height <= most


def is_result_list(content: Any) -> bool:
    """Whether this is a list of COCO results, `[{"image_id": …, "category_id": …, "score": …}, …]`."""
    return isinstance(content, list) and any(isinstance(item, dict) and "image_id" in item for item in content)
