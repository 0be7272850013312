"""The run lengths of polygons by pycocotools' rule, in memory that does not grow with the length of their outlines.

pycocotools keeps five steps of the outline for each pixel that it passes, a hundred bytes a pixel. A long ring is
drawn as a fan of shorter ones here, which all start at its first point:

    0--1       0--1     0         The edge between 0 and 2 is in both parts, with the same steps: a pixel that is in
    |  |   =   | /   ^  |\\        one of the parts is in the ring, one that is in both is not. So the pixels are
    3--2       2        3--2      those that pycocotools gives for the whole ring.

Runs of a mask (H, W) go down its columns, as in `rle`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from pycocotools import mask as coco_mask

from dentasam.data.masks import rle

# Steps that pycocotools is given at once: 20 MB.
MAX_STEPS = 1_000_000
STEPS_PER_PIXEL = 5
# More rings are not left to pycocotools, whose time for their union grows with the square of their number.
MAX_MERGED = 8


def runs_of_polygons(rings: Sequence[Sequence[float]], height: int, width: int) -> np.ndarray:
    """The runs (int64) of the union of rings [x1, y1, x2, y2, …] in pixels, of three points or more each.

    The same as of `pycocotools.mask.merge` and `frPyObjects`. Raises ValueError where a ring cannot be drawn.
    """
    if len(rings) <= MAX_MERGED and sum(_most_steps(ring) for ring in rings) <= MAX_STEPS:
        coded = coco_mask.frPyObjects(list(rings), height, width)
        return _read([(coco_mask.merge(coded) if len(coded) > 1 else coded[0])["counts"]])[0]
    size = height * width
    if len(rings) == 1:
        (edges,) = _edges_of_rings(rings, height, width)
        return _runs_between(edges, size)
    starts: list[np.ndarray] = []
    stops: list[np.ndarray] = []
    for edges in _edges_of_rings(rings, height, width):
        starts.append(edges[0::2])
        stops.append(edges[1::2] if edges.size % 2 == 0 else np.append(edges[1::2], size))
    return _union(np.concatenate(starts), np.concatenate(stops), size)


def _edges_of_rings(rings: Sequence[Sequence[float]], height: int, width: int) -> Iterator[np.ndarray]:
    """Of each ring the places, counted down the columns, where its mask begins and ends in turn; sorted."""
    batch: list[Sequence[float]] = []
    steps = 0.0
    for ring in rings:
        most = _most_steps(ring)
        if most > MAX_STEPS:
            yield _edges_of_long_ring(np.asarray(ring, np.float64).reshape(-1, 2), height, width)
            continue
        if batch and steps + most > MAX_STEPS:
            yield from _edges(batch, height, width)
            batch, steps = [], 0.0
        batch.append(ring)
        steps += most
    yield from _edges(batch, height, width)


def _edges_of_long_ring(points: np.ndarray, height: int, width: int) -> np.ndarray:
    parts = (part.ravel().tolist() for part in _fan(points))
    found = [edges for part in parts for edges in _edges([part], height, width)]
    places = np.sort(np.concatenate([np.zeros(0, np.int64), *found]))
    # Of each place that is there an odd number of times, one is left.
    first = np.flatnonzero(np.diff(places, prepend=-1))
    return places[first[np.diff(first, append=places.size) % 2 == 1]]


def _fan(points: np.ndarray) -> Iterator[np.ndarray]:
    """Rings (n, 2) that start at the first point of a ring (N, 2) and together have its outline once."""
    lengths = np.abs(np.roll(points, -1, axis=0) - points).max(axis=1) * STEPS_PER_PIXEL + 1
    part = (np.cumsum(lengths) // MAX_STEPS).astype(np.int64)
    cuts = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), len(points)]
    for start, stop in pairwise(cuts):
        # The edge of `stop - 1` ends at `stop`; behind the last point comes the first one again.
        own = points[start : min(stop, len(points) - 1) + 1]
        ring = own if start == 0 else np.concatenate([points[:1], own])
        # There and back again: without pixels.
        if len(ring) > 2:
            yield ring


def _most_steps(ring: Sequence[float]) -> float:
    """At least the steps of a ring, quickly."""
    x, y = ring[0::2], ring[1::2]
    most = len(x) * (STEPS_PER_PIXEL * max(max(x) - min(x), max(y) - min(y)) + 2)
    if most <= MAX_STEPS:
        return most
    points = np.asarray(ring, np.float64).reshape(-1, 2)
    return float((np.abs(points - np.roll(points, 1, axis=0)).max(axis=1) * STEPS_PER_PIXEL + 2).sum())


def _edges(rings: list[Sequence[float]], height: int, width: int) -> list[np.ndarray]:
    if not rings:
        return []
    coded = coco_mask.frPyObjects(rings, height, width)
    return [np.cumsum(runs)[:-1] for runs in _read([each["counts"] for each in coded])]


def _read(counts: list[bytes]) -> list[np.ndarray]:
    found = [runs for runs in rle.runs_of(counts) if runs is not None]
    if len(found) < len(counts):
        raise ValueError("a polygon cannot be drawn")
    return found


def _union(starts: np.ndarray, stops: np.ndarray, size: int) -> np.ndarray:
    """The runs of the union of spans, each from a start to its stop."""
    places = np.concatenate([starts, stops])
    # At one place starts come first, so that spans that touch are one.
    order = np.argsort(places, kind="stable")
    opened = np.where(order < starts.size, np.int32(1), np.int32(-1))
    depth = np.cumsum(opened, dtype=np.int32)
    return _runs_between(places[order][(depth == 0) | ((depth == 1) & (opened == 1))], size)


def _runs_between(edges: np.ndarray, size: int) -> np.ndarray:
    """The runs of a mask of `size` pixels that begins and ends at these places in turn."""
    runs = np.diff(np.concatenate([[0], edges, [size]])).astype(np.int64)
    return runs if runs.size == 1 or runs[-1] else runs[:-1]
