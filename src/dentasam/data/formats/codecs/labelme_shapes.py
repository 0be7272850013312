"""The masks of LabelMe's and X-AnyLabeling's shapes, by the pixels that LabelMe itself takes for them."""

from __future__ import annotations

from math import hypot
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from dentasam.data.formats.codecs.embedded_mask import bytes_of_base64, mask_of_png, placed
from dentasam.data.formats.files.json_values import points_of
from dentasam.data.masks.polygons import PolygonRule, boxed_polygon
from dentasam.model.windows.boxed_mask import BoxedMask

NOT_AREAS = frozenset({"point", "points", "line", "linestrip"})
# Turned boxes have four corners: those of X-AnyLabeling are `rotation`, those of LabelMe 6 `oriented_rectangle`.
_POLYGONS = frozenset({"polygon", "rotation", "quadrilateral", "oriented_rectangle"})
_OUTSIDE = BoxedMask(0, 0, np.zeros((0, 0), bool))


def mask_of_shape(kind: str, shape: dict[str, Any], height: int, width: int) -> BoxedMask | None:
    """The mask of a shape in an image, None for a type that is not known. Raises ValueError with the reason."""
    if kind not in _POLYGONS and kind not in ("rectangle", "circle", "mask"):
        return None
    points = points_of(shape.get("points"), 2 * max(height, width))
    # X-AnyLabeling writes the four corners of a rectangle.
    if kind in _POLYGONS or (kind == "rectangle" and len(points) == 4):
        return boxed_polygon(points, height, width, PolygonRule.centres)
    if len(points) != 2:
        raise ValueError(f"a {kind} has {len(points)} points in place of 2")
    if kind == "circle":
        return _circle(points, height, width)
    # As Pillow, LabelMe cuts fractions off.
    left, top = np.trunc(points.min(axis=0)).astype(int).tolist()
    right, bottom = np.trunc(points.max(axis=0)).astype(int).tolist()
    if kind == "rectangle":
        left, top, right, bottom = max(0, left), max(0, top), min(width - 1, right), min(height - 1, bottom)
        if right < left or bottom < top:
            return _OUTSIDE
        return BoxedMask(left, top, np.ones((bottom - top + 1, right - left + 1), bool))
    bits = mask_of_png(bytes_of_base64(shape.get("mask"), "its mask"), height, width)
    if bits.shape != (bottom - top + 1, right - left + 1):
        raise ValueError(
            f"its mask has {bits.shape[1]}x{bits.shape[0]} pixels, its box {right - left + 1}x{bottom - top + 1}"
        )
    return placed(left, top, bits, height, width)


def _circle(points: np.ndarray, height: int, width: int) -> BoxedMask:
    """A circle by its centre and a point on it, as Pillow draws the ellipse in the box around it."""
    (x, y), (edge_x, edge_y) = points.tolist()
    radius = hypot(edge_x - x, edge_y - y)
    around = np.trunc([x - radius, y - radius, x + radius, y + radius]).astype(int).tolist()
    left, top = max(0, around[0]), max(0, around[1])
    right, bottom = min(width - 1, around[2]), min(height - 1, around[3])
    if right < left or bottom < top:
        return _OUTSIDE
    image = Image.new("L", (right - left + 1, bottom - top + 1))
    moved = [around[0] - left, around[1] - top, around[2] - left, around[3] - top]
    ImageDraw.Draw(image).ellipse(moved, fill=1, outline=1)
    return BoxedMask(left, top, np.asarray(image) > 0).tight()
