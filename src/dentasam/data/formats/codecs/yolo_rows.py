"""One object of YOLO as a row `class x1 y1 x2 y2 …`: its outline in fractions of the image's width and height.

A row holds one ring. Holes are filled. The parts of an object are joined by lines one pixel wide into one ring, since
tools of YOLO take each row for an object of its own: no pixel is lost, and the lines add a few. YOLO's own converter
joins parts at their nearest points too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_fill_holes

from dentasam.data.masks.outlines import outlines_of_mask
from dentasam.data.masks.polygons import PolygonRule, boxed_polygon
from dentasam.model.windows.boxed_mask import BoxedMask

# Six digits place a point within its pixel in images up to 500,000 pixels wide.
DIGITS = 6
BOX_NUMBERS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """What is written of a mask: fractions (N, 2), the number of its holes and that of its parts."""

    points: np.ndarray
    holes: int
    parts: int

    def line(self, category: int) -> str:
        return " ".join([str(category), *(f"{value:.{DIGITS}f}" for value in self.points.ravel().tolist())])


def row_of_mask(mask: BoxedMask, height: int, width: int) -> Row:
    """The row of a mask that is not empty, in an image of height x width pixels."""
    outlines = outlines_of_mask(mask.bits, PolygonRule.yolo, mask.x, mask.y)
    holes = sum(outline.hole for outline in outlines)
    if holes:
        # A part that lies inside a hole is filled with it, and is not a ring.
        outlines = outlines_of_mask(binary_fill_holes(mask.bits), PolygonRule.yolo, mask.x, mask.y)
    rings = [outline.points for outline in outlines]
    return Row(_joined(rings) / (width, height), holes, len(rings))


def is_box(row: str) -> bool:
    """Whether a row is a class, a centre and a size: a box as for detection, without an outline."""
    return len(row.split()) == BOX_NUMBERS


def class_and_mask(row: str, height: int, width: int) -> tuple[int, BoxedMask]:
    """The class and the mask of a row with an outline. Raises ValueError with a short reason."""
    try:
        numbers = np.array(row.split(), np.float64)
    except ValueError:
        raise ValueError("it has a value that is not a number") from None
    if not np.isfinite(numbers).all():
        raise ValueError("it has a number that is NaN or infinite")
    if len(numbers) < 7 or len(numbers) % 2 == 0:
        raise ValueError(f"its {len(numbers)} numbers are not a class and three or more points x y")
    category, points = numbers[0], numbers[1:].reshape(-1, 2)
    if category < 0 or category != int(category):
        raise ValueError("its class is not a whole number from 0 on")
    if points.min() < -1 or points.max() > 2:
        raise ValueError("its coordinates are not fractions of the image's size")
    mask = boxed_polygon(points * (width, height), height, width, PolygonRule.yolo)
    if not mask.bits.any():
        raise ValueError("it covers no pixel of the image")
    return int(category), mask


def _joined(rings: list[np.ndarray]) -> np.ndarray:
    """One ring (N, 2) through all rings, each entered and left at its point nearest to those joined before."""
    joined, left = rings[0], rings[1:]
    # For each ring that is left: its squared distance to those joined, and the two points that are nearest.
    near = [_nearest(joined, ring) for ring in left]
    while left:
        best = min(range(len(left)), key=lambda index: near[index][0])
        ring, (_, here, there) = left.pop(best), near.pop(best)
        place = int(np.flatnonzero((joined == here).all(axis=1))[0])
        start = int(np.flatnonzero((ring == there).all(axis=1))[0])
        loop = [np.roll(ring, -start, axis=0), ring[start : start + 1], joined[place : place + 1]]
        joined = np.concatenate([joined[: place + 1], *loop, joined[place + 1 :]])
        near = [
            min(old, _nearest(ring, other), key=lambda each: each[0]) for old, other in zip(near, left, strict=True)
        ]
    return joined


def _nearest(joined: np.ndarray, ring: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    squared = ((joined[:, None] - ring[None]) ** 2).sum(axis=2)
    here, there = divmod(int(squared.argmin()), len(ring))
    return float(squared[here, there]), joined[here], ring[there]
