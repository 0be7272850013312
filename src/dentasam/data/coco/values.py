"""Single values of a COCO file, as exporters write them."""

import math
from typing import Any


def whole(value: Any) -> int | None:
    """A whole number, also one written as 7.0; None for anything else."""
    if type(value) is int:
        return value
    return int(value) if type(value) is float and value.is_integer() else None


def name_text(value: Any) -> str | None:
    """A category's name; some tools write that of a tooth as a number. None for anything else."""
    if isinstance(value, str):
        return value or None
    number = whole(value)
    return None if number is None else str(number)


def is_box(box: Any) -> bool:
    """Whether this is x, y, width, height with finite numbers and sizes of 0 or more."""
    if not isinstance(box, list) or len(box) != 4 or not set(map(type, box)) <= {int, float}:
        return False
    try:
        return all(map(math.isfinite, box)) and min(box[2:]) >= 0
    except OverflowError:  # a whole number beyond what a float holds
        return False


def is_result_list(content: Any) -> bool:
    """Whether this is a list of COCO results, `[{"image_id": …, "category_id": …, "score": …}, …]`."""
    return isinstance(content, list) and any(isinstance(item, dict) and "image_id" in item for item in content)
