"""What COCO allows as an object's `segmentation`: polygons, or RLE as a string or as a list of runs."""

import math
from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np

from dentasam.data.masks import rle
from dentasam.data.masks.corner_polygons import runs_of_polygons
from dentasam.data.masks.polygons import longest_boundary
from dentasam.documents.shown import shown

DRAW_AGAIN = "delete the annotation or draw it again"
WRITE_RINGS = "write the segmentation as a list of such lists"
ENCODE_AGAIN = "encode the mask again at the image's size"
# A smaller (pixels) or thinner polygon may cover no pixel's centre; it is drawn to find out.
MIN_CERTAIN_AREA, MIN_CERTAIN_WIDTH = 4.0, 2.0


def error_in(segmentation: Any, height: int, width: int, runs: np.ndarray | None = None) -> tuple[str, str] | None:
    """What is wrong with a segmentation of an image of height × width, and the fix; None if it is valid.

    runs: those of the compressed string, where the caller has read them already.
    """
    if isinstance(segmentation, Mapping):
        return _rle_error(segmentation, height, width, runs)
    if isinstance(segmentation, list):
        return _polygon_error(segmentation, height, width)
    return "its segmentation is neither polygons nor RLE", "write it as COCO does"


def without_bad_rings(segmentation: Any) -> tuple[Any, int]:
    """The segmentation without rings that cannot be drawn, and their number; all but polygons is unchanged.

    A bad ring has fewer than three points, an odd number of coordinates, or one that is not finite. One flat list of
    numbers is one ring, as for pycocotools.
    """
    if not isinstance(segmentation, list):
        return segmentation, 0
    rings = [segmentation] if segmentation and _are_numbers(segmentation) else segmentation
    # Points [[x, y], [x, y], …] in place of rings are another layout, not many bad rings.
    if not all(isinstance(ring, list) and _are_numbers(ring) for ring in rings):
        return rings, 0
    if len(rings) > 1 and all(len(ring) == 2 for ring in rings):
        return rings, 0
    good = [ring for ring in rings if len(ring) >= 6 and len(ring) % 2 == 0 and _are_finite(ring)]
    return good, len(rings) - len(good)


def _are_numbers(values: list[Any]) -> bool:
    return set(map(type, values)) <= {int, float}


def _are_finite(numbers: list[Any]) -> bool:
    try:
        return all(map(math.isfinite, numbers))
    except OverflowError:  # a whole number beyond what a float holds
        return False


def runs_of(segmentation: Any, height: int, width: int) -> np.ndarray:
    """The RLE runs of a valid segmentation, drawn on height × width."""
    if isinstance(segmentation, Mapping):
        counts = segmentation["counts"]
        if isinstance(counts, list):
            return np.asarray(counts, np.int64)
    else:
        return runs_of_polygons(segmentation, height, width)
    (runs,) = rle.runs_of([counts])
    if runs is None:
        raise ValueError("malformed RLE")
    return runs


def polygon_area(polygons: list[list[float]]) -> float:
    """Sum of the areas inside the rings, by the shoelace formula, in pixels; less for a ring that crosses itself."""
    total = 0.0
    for ring in polygons:
        x, y = ring[0::2], ring[1::2]
        total += abs(sum(a * d - b * c for a, b, c, d in zip(x, y, x[1:] + x[:1], y[1:] + y[:1], strict=True)))
    return total / 2


def polygon_box(polygons: list[list[float]]) -> tuple[float, float, float, float]:
    """x, y, width, height around all rings."""
    x = [value for ring in polygons for value in ring[0::2]]
    y = [value for ring in polygons for value in ring[1::2]]
    return min(x), min(y), max(x) - min(x), max(y) - min(y)


def _outline_length(polygons: list[list[float]]) -> float:
    rings = ((ring[0::2], ring[1::2]) for ring in polygons)
    return sum(
        math.hypot(b - a, d - c)
        for x, y in rings
        for a, b, c, d in zip(x, x[1:] + x[:1], y, y[1:] + y[:1], strict=True)
    )


def _rle_error(
    segmentation: Mapping[str, Any], height: int, width: int, runs: np.ndarray | None
) -> tuple[str, str] | None:
    missing = [key for key in ("size", "counts") if key not in segmentation]
    if missing:
        return f"its RLE has no '{missing[0]}'", ENCODE_AGAIN
    size, counts = segmentation["size"], segmentation["counts"]
    if not isinstance(size, list | tuple) or list(size) != [height, width]:
        other = shown(size)
        if isinstance(size, list | tuple) and len(size) == 2:
            other = "x".join(shown(side) for side in reversed(size))
        return f"its RLE is for an image of {other}, this one is {width}x{height}", ENCODE_AGAIN
    if isinstance(counts, list):
        if not all(type(count) is int and 0 <= count <= height * width for count in counts):
            return "its RLE counts are not all whole numbers from 0 to the image's size", ENCODE_AGAIN
        runs = np.asarray(counts, np.int64)
    elif not isinstance(counts, str | bytes):
        return "its RLE counts are neither a string nor a list", ENCODE_AGAIN
    elif runs is None:
        (runs,) = rle.runs_of([counts])
    if runs is None:
        return "its RLE string is cut or malformed", ENCODE_AGAIN
    if int(runs.sum()) != height * width:
        return f"its RLE covers {runs.sum()} pixels, the image has {height * width}", ENCODE_AGAIN
    if rle.area_of(runs) == 0:
        return "its mask is empty", DRAW_AGAIN
    return None


def _polygon_error(polygons: list[Any], height: int, width: int) -> tuple[str, str] | None:
    if not polygons:
        return "its mask is empty (no polygon)", DRAW_AGAIN
    for ring in polygons:
        # Six numbers at least: pycocotools would take four for a box.
        if not isinstance(ring, list) or len(ring) < 6 or len(ring) % 2:
            return "a polygon is not a flat list x1, y1, x2, y2, … of three points or more", WRITE_RINGS
        if not _are_numbers(ring) or not _are_finite(ring):
            return "a polygon has a coordinate that is NaN, infinite or not a number", DRAW_AGAIN
    # Drawing takes memory by the length of the outline, so a point at 1e12 must not get that far.
    reach = 2 * max(height, width)
    if max(chain.from_iterable(polygons)) > reach or min(chain.from_iterable(polygons)) < -reach:
        return "a polygon lies far outside the image", "scale its points to the image's pixels"
    length = _outline_length(polygons)
    longest = longest_boundary(height, width)
    if length + sum(map(len, polygons)) / 2 > longest:
        return f"its outline is longer than {longest} pixels", "simplify it, or write the mask as RLE"
    area = polygon_area(polygons)
    left, top, across, down = polygon_box(polygons)
    thin = area < MIN_CERTAIN_AREA or 2 * area < MIN_CERTAIN_WIDTH * length
    doubtful = thin or left + across <= 0 or top + down <= 0 or left >= width or top >= height
    if doubtful and rle.area_of(runs_of(polygons, height, width)) == 0:
        return "its mask is empty", DRAW_AGAIN
    return None
