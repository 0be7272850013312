"""Drawing polygons: one list of points is another mask in another tool.

A tool takes the points either for places on the grid of pixel corners, and fills the pixels whose centres lie inside;
or for pixels, and fills those that the boundary passes through as well. The mask of a tooth 45 x 101 pixels large is
0.02 Dice worse by the wrong rule. Each rule here gives the pixels of the library behind the tool:

    corners  COCO, CVAT    pycocotools: pixel i reaches from i to i + 1
    centres  LabelMe       Pillow's ImageDraw.polygon: the point (i, j) is pixel i, j; fractions are cut off
    yolo     YOLO          OpenCV's fillPoly, of the pixels in which the points lie: pixel i reaches from i to i + 1

Only the rows or columns that a polygon spans inside the image are drawn. Bad polygons raise ValueError with a short
reason that fits behind the name of the object, such as `a polygon has fewer than 3 points`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from math import ceil, cos, floor, hypot, sin

import cv2
import numpy as np
from PIL import Image, ImageDraw

from dentasam.data.masks import rle
from dentasam.data.masks.corner_polygons import runs_of_polygons
from dentasam.model.windows.boxed_mask import BoxedMask

# Outlines of teeth have 2,000 pixels. One around every second pixel of an image has twice the image's pixels. A
# longer one takes time and memory without a mask to show for it.
MAX_BOUNDARY = 4_000_000
LEAST_BOUNDARY = 100_000
BOUNDARY_PER_PIXEL = 4
# OpenCV keeps no steps. An outline that runs from pixel to pixel passes each of them four times at most, and so do
# the lines that join its parts.
PASSES = 8
# A shape may reach out of its image by the larger side of it.
MAX_REACH = 2
MIN_RADIUS = 1e-6


class PolygonRule(StrEnum):
    corners = "corners"
    centres = "centres"
    yolo = "yolo"


def boxed_polygon(points: np.ndarray, height: int, width: int, rule: PolygonRule) -> BoxedMask:
    """The mask of a polygon (N, 2) of x, y in pixels, in the smallest box around it; what lies outside is cut off.

    It is empty, with a box of no pixels, where the polygon covers no pixel. Raises ValueError with the reason for a
    polygon with fewer than 3 points or a coordinate that is not finite, for one that reaches farther out of the image
    than twice its larger side, and for one with a boundary longer than `longest_boundary` (by the rule `yolo`, longer
    than any mask of the image has, if that is more).
    """
    points = np.asarray(points, np.float64)
    longest = longest_boundary(height, width)
    if rule is PolygonRule.yolo:
        longest = max(MAX_BOUNDARY, PASSES * height * width)
    _check(points, height, width, longest)
    left, top = (max(0, floor(value)) for value in points.min(axis=0))
    right, bottom = (
        min(size, ceil(value) + 1) for value, size in zip(points.max(axis=0), (width, height), strict=True)
    )
    if right <= left or bottom <= top:
        return BoxedMask(0, 0, np.zeros((0, 0), bool))
    if rule is PolygonRule.corners:
        return _drawn_on_corners(points, height, width)
    if rule is PolygonRule.centres:
        return _drawn_on_centres(points, top, right, bottom).tight()
    return _drawn_in_yolo(points, left, top, right, bottom).tight()


def boxed_polygons(rings: Iterable[np.ndarray], height: int, width: int, rule: PolygonRule) -> BoxedMask:
    """The union of some polygons, as of a COCO object in several parts.

    Raises ValueError as `boxed_polygon`, also where the boundaries are too long together.
    """
    rings = [np.asarray(ring, np.float64) for ring in rings]
    left = MAX_BOUNDARY if rule is PolygonRule.yolo else longest_boundary(height, width)
    if len(rings) > 1:
        for ring in rings:
            left -= int(_boundary(ring)) if ring.ndim == 2 and ring.size else 0
            if left < 0:
                raise ValueError(f"its polygons' boundaries are longer than {MAX_BOUNDARY} pixels together")
    return joined(boxed_polygon(ring, height, width, rule) for ring in rings)


def boxed_ellipse(x: float, y: float, across: float, down: float, angle: float, height: int, width: int) -> BoxedMask:
    """The pixels whose centres lie in an ellipse, by the rule of pixel corners: a box in the image, maybe empty.

    x, y: its centre; across, down: its radii before it is turned about its centre by `angle`, in radians clockwise.
    Raises ValueError for radii of 0 and an ellipse far outside the image.
    """
    if min(across, down) < MIN_RADIUS:
        raise ValueError("its radii are not greater than 0")
    c, s = cos(angle), sin(angle)
    reach_x, reach_y = hypot(across * c, down * s), hypot(across * s, down * c)
    if max(abs(x) + reach_x, abs(y) + reach_y) > MAX_REACH * max(height, width):
        raise ValueError("it lies far outside the image")
    left, top = max(0, floor(x - reach_x)), max(0, floor(y - reach_y))
    right, bottom = min(width, ceil(x + reach_x)), min(height, ceil(y + reach_y))
    if right <= left or bottom <= top:
        return BoxedMask(0, 0, np.zeros((0, 0), bool))
    rows, columns = np.ogrid[top:bottom, left:right]
    rows, columns = rows + 0.5 - y, columns + 0.5 - x
    inside = ((columns * c + rows * s) / across) ** 2 + ((rows * c - columns * s) / down) ** 2 <= 1
    return BoxedMask(left, top, inside).tight()


def longest_boundary(height: int, width: int) -> int:
    """The length in pixels of the longest outline that is drawn on an image, by the larger of its x and y a step."""
    return min(MAX_BOUNDARY, LEAST_BOUNDARY + BOUNDARY_PER_PIXEL * height * width)


def joined(masks: Iterable[BoxedMask]) -> BoxedMask:
    """The union of some masks, in the smallest box around their boxes; without pixels if they have none."""
    masks = [mask for mask in masks if mask.bits.size]
    if not masks:
        return BoxedMask(0, 0, np.zeros((0, 0), bool))
    left, top = min(mask.x for mask in masks), min(mask.y for mask in masks)
    right = max(mask.x + mask.bits.shape[1] for mask in masks)
    bottom = max(mask.y + mask.bits.shape[0] for mask in masks)
    bits = np.zeros((bottom - top, right - left), bool)
    for x, y, own in masks:
        bits[y - top : y - top + own.shape[0], x - left : x - left + own.shape[1]] |= own
    return BoxedMask(left, top, bits)


def _check(points: np.ndarray, height: int, width: int, longest: int) -> None:
    if points.size and (points.ndim != 2 or points.shape[1] != 2):
        raise ValueError("a polygon is not a list of points x, y")
    if len(points) < 3:
        raise ValueError("a polygon has fewer than 3 points")
    if not np.isfinite(points).all():
        raise ValueError("a polygon has a coordinate that is NaN or infinite")
    if np.abs(points).max() > MAX_REACH * max(height, width):
        raise ValueError("a polygon lies far outside the image")
    if _boundary(points) > longest:
        raise ValueError(f"a polygon's boundary is longer than {longest} pixels")


def _boundary(points: np.ndarray) -> float:
    return float(np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum())


def _drawn_on_corners(points: np.ndarray, height: int, width: int) -> BoxedMask:
    # The runs are those on the whole image, in which only the object's own columns are decoded.
    return BoxedMask(*rle.decode_box(runs_of_polygons([points.ravel().tolist()], height, width), height))


def _drawn_on_centres(points: np.ndarray, top: int, right: int, bottom: int) -> BoxedMask:
    # Pillow computes where an edge crosses a row in numbers of 32 bits: moved in x, they would be rounded otherwise.
    image = Image.new("L", (right, bottom - top))
    moved = np.trunc(points) - (0, top)
    ImageDraw.Draw(image).polygon([(x, y) for x, y in moved.tolist()], fill=1, outline=1)
    return BoxedMask(0, top, np.asarray(image).astype(bool))


def _drawn_in_yolo(points: np.ndarray, left: int, top: int, right: int, bottom: int) -> BoxedMask:
    mask = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillPoly(mask, [points.astype(np.int32) - np.array([left, top], np.int32)], 1)
    return BoxedMask(left, top, mask.astype(bool))
