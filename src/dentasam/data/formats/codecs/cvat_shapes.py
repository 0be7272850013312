"""The masks of CVAT's shapes: polygons, boxes, ellipses, and runs in a box.

Coordinates are places on the grid of pixel corners, as in COCO: pixel i reaches from i to i + 1, and a shape holds
the pixels whose centres lie inside it. CVAT makes masks of polygons by pycocotools when it exports them. Angles are
in degrees, clockwise about the centre of the shape.

A mask is stored as runs in a box, row by row, the first run zeros: the mask of the first row of a box 3 pixels wide
and 2 high is `0, 3, 3`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from dentasam.data.masks.polygons import PolygonRule, boxed_ellipse, boxed_polygon
from dentasam.documents.values import number_in, whole_in
from dentasam.model.windows.boxed_mask import BoxedMask

SHAPES = ("mask", "polygon", "box", "ellipse")
# No image is so large; beyond it the sums and squares of coordinates overflow.
MAX_COORDINATE = 1e9


def shape_mask(kind: str, attributes: Mapping[str, str], height: int, width: int) -> BoxedMask:
    """The mask of a shape of one of the kinds `SHAPES`, cut off at the edge of an image of height x width pixels.

    Raises ValueError with a short reason for a shape that cannot be drawn, and for one that covers no pixel.
    """
    if kind == "mask":
        mask = _mask_of_runs(attributes, height, width)
    elif kind == "ellipse":
        mask = _ellipse(attributes, height, width)
    else:
        points = _polygon(attributes) if kind == "polygon" else _corners(attributes)
        mask = boxed_polygon(points, height, width, PolygonRule.corners)
    if not mask.bits.any():
        raise ValueError("it covers no pixel of the image")
    return mask


def mask_attributes(mask: BoxedMask) -> dict[str, str]:
    """The attributes `rle`, `left`, `top`, `width` and `height` of a mask that is not empty, in its smallest box."""
    x, y, bits = mask.tight()
    pixels = bits.reshape(-1)
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    runs = np.diff(np.concatenate([[0], [0] if pixels[0] else [], changes, [pixels.size]]).astype(np.int64))
    return {
        "rle": ", ".join(map(str, runs.tolist())),
        "left": str(x),
        "top": str(y),
        "width": str(bits.shape[1]),
        "height": str(bits.shape[0]),
    }


def _mask_of_runs(attributes: Mapping[str, str], height: int, width: int) -> BoxedMask:
    left, top, across, down = (_whole(attributes, name) for name in ("left", "top", "width", "height"))
    if left < 0 or top < 0 or across < 1 or down < 1 or left + across > width or top + down > height:
        raise ValueError("its box does not lie in the image")
    try:
        runs = [whole_in(run) for run in attributes.get("rle", "").split(",")]
    except ValueError:
        raise ValueError("its rle is not a list of whole numbers") from None
    if min(runs) < 0 or sum(runs) != across * down:
        raise ValueError(f"its rle covers {sum(runs)!s:.20} pixels, its box has {across * down}")
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return BoxedMask(left, top, pixels.reshape(down, across)).tight()


def _polygon(attributes: Mapping[str, str]) -> np.ndarray:
    pairs = [pair.split(",") for pair in attributes.get("points", "").split(";") if pair.strip()]
    try:
        return np.array([[number_in(x), number_in(y)] for x, y in pairs], np.float64)
    except ValueError:
        raise ValueError("its points are not numbers x,y;x,y;…") from None


def _corners(attributes: Mapping[str, str]) -> np.ndarray:
    """The corners (4, 2) of a box, after its rotation."""
    left, top, right, bottom = (_number(attributes, name) for name in ("xtl", "ytl", "xbr", "ybr"))
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    angle = math.radians(_number(attributes, "rotation", 0.0))
    if angle == 0:
        return corners
    centre = corners.mean(axis=0)
    cos, sin = math.cos(angle), math.sin(angle)
    return (corners - centre) @ np.array([[cos, sin], [-sin, cos]]) + centre


def _ellipse(attributes: Mapping[str, str], height: int, width: int) -> BoxedMask:
    cx, cy, rx, ry = (_number(attributes, name) for name in ("cx", "cy", "rx", "ry"))
    return boxed_ellipse(cx, cy, rx, ry, math.radians(_number(attributes, "rotation", 0.0)), height, width)


def _whole(attributes: Mapping[str, str], name: str) -> int:
    value = _number(attributes, name)
    if value != int(value):
        raise ValueError(f"its {name} is not a whole number")
    return int(value)


def _number(attributes: Mapping[str, str], name: str, missing: float | None = None) -> float:
    text = attributes.get(name)
    if text is None and missing is not None:
        return missing
    if text is None:
        raise ValueError(f"it has no {name}")
    try:
        value = number_in(text)
    except ValueError:
        raise ValueError(f"its {name} is not a number") from None
    if not abs(value) <= MAX_COORDINATE:
        raise ValueError(f"its {name} is not a finite number of pixels")
    return value
