"""From a brush stroke to clicks: the one to three deepest places of what the stroke changed.

Painting shows the model a missed region, erasing a surplus one. Many points along a stroke would ruin the mask, since
the model was trained on one correction click at a time. So only the distance peaks of the changed regions become
clicks, which is where `correction_clicks.correction_clicks` would put them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dentasam.errors import PromptError

STROKE_CLICKS = 3
# A further click in a region needs a place of at least this share of the depth at the first.
MIN_RELATIVE_DEPTH = 0.6


@dataclass(frozen=True)
class StrokeClicks:
    """points: (n, 2) float32 x, y in pixels of the masks. labels: (n,) int64, 1 painted, 0 erased. n is 0 to 3."""

    points: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class _Region:
    """A connected change within its bounding box at x, y: depth (h, w) float32 to its edge, 0 outside."""

    x: int
    y: int
    label: int
    area: int
    depth: np.ndarray


def stroke_clicks(
    before: np.ndarray, after: np.ndarray, min_depth: float = 1.0, limit: int = STROKE_CLICKS
) -> StrokeClicks:
    """The clicks that stand for a stroke which changed the mask `before` into `after`.

    before, after: (h, w) bool. Each 4-connected region of missed pixels (painted) or surplus pixels (erased) gives
    a click at its deepest pixel, larger regions first; remaining clicks go to further peaks of the same
    regions. A region shallower than `min_depth` pixels gives none, unless all are: then the deepest gives one. No
    two clicks are closer than `min_depth` or, within a region, than twice the depth at its first click.
    Returns no click where nothing changed. Raises `PromptError` for masks of different shapes.
    """
    if before.shape != after.shape or before.ndim != 2:
        raise PromptError(f"before {before.shape} and after {after.shape} must be (h, w) and of the same shape")
    regions = _regions(after & ~before, 1) + _regions(before & ~after, 0)
    if not regions:
        return StrokeClicks(np.zeros((0, 2), np.float32), np.zeros(0, np.int64))
    deep = [region for region in regions if region.depth.max() >= min_depth]
    if not deep:
        deep, limit = [max(regions, key=lambda region: float(region.depth.max()))], 1
    deep.sort(key=lambda region: -region.area)

    points: list[tuple[int, int]] = []
    labels: list[int] = []
    first = [float(region.depth.max()) for region in deep]
    for turn in range(limit):
        for region, deepest in zip(deep, first, strict=True):
            if len(points) == limit:
                break
            _clear_around(region, points, max(2 * deepest if turn else 0.0, min_depth))
            row, column = divmod(int(region.depth.argmax()), region.depth.shape[1])
            depth = float(region.depth[row, column])
            if depth > 0 and (turn == 0 or depth >= max(MIN_RELATIVE_DEPTH * deepest, min_depth)):
                points.append((region.x + column, region.y + row))
                labels.append(region.label)
    return StrokeClicks(np.array(points, np.float32).reshape(-1, 2), np.array(labels, np.int64))


def _regions(changed: np.ndarray, label: int) -> list[_Region]:
    count, components, statistics, _ = cv2.connectedComponentsWithStats(changed.astype(np.uint8), connectivity=4)
    found = []
    for index in range(1, count):
        x, y, width, height, area = (int(value) for value in statistics[index])
        region = (components[y : y + height, x : x + width] == index).astype(np.uint8)
        padded = cv2.copyMakeBorder(region, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
        found.append(_Region(x, y, label, area, np.ascontiguousarray(depth)))
    return found


def _clear_around(region: _Region, points: list[tuple[int, int]], distance: float) -> None:
    height, width = region.depth.shape
    rows, columns = np.ogrid[:height, :width]
    for x, y in points:
        near = (columns + region.x - x) ** 2 + (rows + region.y - y) ** 2 < distance**2
        region.depth[near] = 0
