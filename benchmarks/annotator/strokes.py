"""Which stroke of brush or eraser a person makes next: along a part or around it, the brush as wide as fits.

Of these the one is made that brings most Dice for its time. Its time is that of steering through the tunnel that the
wanted outline leaves to the brush. The stroke itself is drawn exactly: a hand's tremor is paid for, and not drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from scipy.ndimage import binary_fill_holes
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from .judgement import box, dice
from .keystroke_times import STROKE, K, steering_seconds

SMALLEST, LARGEST = 2, 200
# Brushes that are tried: their diameter, in diameters of the largest circle that fits into the part.
SHARES = (0.95, 0.7, 0.5, 0.3)
# Of so many of the largest parts.
PARTS = 2
# What is left undone below this many pixels is not worth a stroke.
MIN_GAIN = 4


@dataclass(frozen=True)
class Stroke:
    """path: (n, 2) x, y image points. size: the brush's diameter in pixels. seconds: of the way alone.

    fills: whether the hole that it goes around is filled afterwards (`G`).
    """

    tool: Literal["brush", "eraser"]
    path: np.ndarray
    size: int
    seconds: float
    fills: bool = False


def border_error(truth: np.ndarray, target: float) -> float:
    """How far an outline may lie from the true one all around, in pixels, so that Dice is still the target.

    A band of that width along the border makes up the share 2 (1 - Dice) of the area.
    """
    outlines, _ = cv2.findContours(truth.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    around = sum(cv2.arcLength(outline, True) for outline in outlines)
    return 2 * (1 - target) * float(np.count_nonzero(truth)) / max(1.0, around)


def brush_steps(size: int, wanted: int) -> tuple[int, int]:
    """How often `]` (above 0) or `[` (below 0) is pressed from one size to be nearest to another; the size then."""
    direction = 1 if wanted > size else -1
    steps = 0
    while True:
        # A step is 12 %, rounded half up, as in web/src/ui/tools/tool_settings.ts.
        after = size + direction * max(1, int(0.12 * size + 0.5))
        after = min(LARGEST, max(SMALLEST, after))
        if abs(after - wanted) >= abs(size - wanted):
            return direction * steps, size
        size, steps = after, steps + 1


def next_stroke(mask: np.ndarray, truth: np.ndarray, size: int, target: float) -> Stroke | None:
    """The best next stroke for a mask, with the brush's size as it is; None where none improves it.

    mask, truth: (H, W) bool.
    """
    margin = 12
    rows, columns = box(mask | truth)
    top, left = max(0, rows.start - margin), max(0, columns.start - margin)
    where = slice(top, rows.stop + margin), slice(left, columns.stop + margin)
    mask, truth = mask[where], truth[where]
    error = max(0.5, border_error(truth, target))
    now = dice(mask, truth)
    best: tuple[float, Stroke | None] = (0.0, None)
    for adds in (True, False):
        allowed, needed = (truth, truth & ~mask) if adds else (~truth, mask & ~truth)
        for path, width, widths, loops in _ways(allowed, needed, size, error):
            painted = _swept(path, width, mask.shape)
            closed = binary_fill_holes(mask | painted) if loops and adds else None
            fills = closed is not None and np.count_nonzero(closed) - np.count_nonzero(mask | painted) > MIN_GAIN
            after = closed if fills else (mask | painted) if adds else (mask & ~painted)
            assert after is not None
            seconds = steering_seconds(path, widths)
            keys = abs(brush_steps(size, width)[0]) + fills
            rate = (dice(after, truth) - now) / (STROKE + seconds + K * keys)
            if rate > best[0]:
                places = path + 0.5 + (left, top)
                best = rate, Stroke("brush" if adds else "eraser", places, width, seconds, bool(fills))
    return best[1]


def _ways(
    allowed: np.ndarray, needed: np.ndarray, size: int, error: float
) -> Iterator[tuple[np.ndarray, int, np.ndarray, bool]]:
    """Candidate strokes: path (n, 2) in pixels, brush size, the tunnel's width at each point, whether it is a loop.

    The brush stays within what it may cover; the tunnel is what that leaves to it on both sides, and the error of the
    border that is allowed.
    """
    count, labels, found, _ = cv2.connectedComponentsWithStats(needed.astype(np.uint8), connectivity=4)
    depth = cv2.distanceTransform(np.pad(allowed, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    parts = sorted(range(1, count), key=lambda label: -found[label, cv2.CC_STAT_AREA])[:PARTS]
    for label in parts:
        part = labels == label
        if found[label, cv2.CC_STAT_AREA] < MIN_GAIN:
            continue
        deepest = 2 * float(cv2.distanceTransform(np.pad(part, 1).astype(np.uint8), cv2.DIST_L2, 5).max())
        # Between the steps of the keys no size can be had.
        sizes = {brush_steps(size, max(SMALLEST, round(share * deepest)))[1] for share in SHARES}
        for width in sorted(sizes | {size}):
            radius = width / 2
            near = cv2.distanceTransform((~part).astype(np.uint8), cv2.DIST_L2, 5) <= max(1.0, radius)
            centres = (depth >= radius) & near
            if not centres.any():
                continue
            for path, loops in _paths(centres):
                x, y = path.T.astype(int)
                slack = np.maximum(0, depth[y, x] - radius)
                yield path, width, 2 * (slack + error), loops


def _paths(centres: np.ndarray) -> Iterator[tuple[np.ndarray, bool]]:
    """Ways of a brush's centre through the largest connected part of where it may go: along it, and around it."""
    _, labels, found, _ = cv2.connectedComponentsWithStats(centres.astype(np.uint8), connectivity=8)
    part = labels == 1 + int(found[1:, cv2.CC_STAT_AREA].argmax())
    middle = _simple(_along(part))
    # Of one point: a dab.
    yield (middle if len(middle) > 1 else np.repeat(middle, 2, axis=0)), False
    outlines, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = outlines[0][:, 0]
    if len(outline) > 8:
        around = _simple(outline, closed=True)
        yield np.concatenate([around, around[:1]]), True


def _along(part: np.ndarray) -> np.ndarray:
    """The shortest way (n, 2) between the two ends of a part: the pixels farthest from each other within it."""
    y, x = np.nonzero(part)
    place = np.full((part.shape[0] + 2, part.shape[1] + 2), -1)
    place[y + 1, x + 1] = np.arange(len(x))
    starts, ends, lengths = [], [], []
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        other = place[y + 1 + dy, x + 1 + dx]
        there = np.flatnonzero(other >= 0)
        starts.append(there)
        ends.append(other[there])
        lengths.append(np.full(len(there), np.hypot(dx, dy)))
    edges = (np.concatenate(starts), np.concatenate(ends))
    graph = coo_array((np.concatenate(lengths), edges), shape=(len(x), len(x))).tocsr()
    one = int(dijkstra(graph, directed=False, indices=0).argmax())
    distance, before = dijkstra(graph, directed=False, indices=one, return_predecessors=True)
    at = int(distance.argmax())
    way = []
    while at >= 0:
        way.append((x[at], y[at]))
        at = int(before[at])
    return np.array(way[::-1], float)


def _simple(path: np.ndarray, closed: bool = False) -> np.ndarray:
    found = cv2.approxPolyDP(path.astype(np.int32)[:, None], 0.8, closed)
    return found[:, 0].astype(float)


def _swept(path: np.ndarray, size: int, shape: tuple[int, ...]) -> np.ndarray:
    """The pixels (H, W) bool within half a brush's diameter of a path."""
    line = np.ones(shape, np.uint8)
    cv2.polylines(line, [path.astype(np.int32)[:, None]], False, 0)
    found: np.ndarray = cv2.distanceTransform(line, cv2.DIST_L2, 5) <= size / 2
    return found
