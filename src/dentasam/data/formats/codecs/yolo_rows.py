"""One object of YOLO as a row `class x1 y1 x2 y2 …`: its outline in fractions of the image's width and height.

A row holds one ring. Holes are filled. The parts of an object are joined by lines one pixel wide into one ring, since
tools of YOLO take each row for an object of its own: no pixel is lost, and the lines add a few. YOLO's own converter
joins parts at their nearest points too. Only of noise, whose outlines have more than `MAX_POINTS`, the smallest parts
are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_fill_holes
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
from scipy.spatial import Delaunay

from dentasam.data.masks.outlines import outlines_of_mask
from dentasam.data.masks.polygons import PolygonRule, boxed_polygon
from dentasam.model.windows.boxed_mask import BoxedMask

# Six digits place a point within its pixel in images up to 500,000 pixels wide.
DIGITS = 6
BOX_NUMBERS = 5
# A row of so many points has 1 MB; the outline of a tooth has some hundred.
MAX_POINTS = 50_000
# Each part is entered and left by a line, whose ends are there twice.
POINTS_OF_A_LINE = 2


@dataclass(frozen=True, slots=True)
class Row:
    """What is written of a mask: fractions (N, 2), the number of its holes, of its parts, and of those left out."""

    points: np.ndarray
    holes: int
    parts: int
    left_out: int

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
    kept = _largest(rings)
    return Row(_joined(kept) / (width, height), holes, len(kept), len(rings) - len(kept))


def is_box(row: str) -> bool:
    """Whether a row is a class, a centre and a size: a box as for detection, without an outline."""
    return len(row.split()) == BOX_NUMBERS


def check_box(row: str) -> None:
    """Raises ValueError with a short reason where the five values of a box are not finite numbers."""
    _numbers(row)


def class_and_mask(row: str, height: int, width: int) -> tuple[int, BoxedMask]:
    """The class and the mask of a row with an outline. Raises ValueError with a short reason."""
    numbers = _numbers(row)
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


def _numbers(row: str) -> np.ndarray:
    try:
        # Python and NumPy take 1_0 and the digits of other scripts for numbers, too.
        values = row.split()
        if "_" in row or not "".join(values).isascii():
            raise ValueError
        numbers = np.array(values, np.float64)
    except ValueError:
        raise ValueError("it has a value that is not a number") from None
    if not np.isfinite(numbers).all():
        raise ValueError("it has a number that is NaN or infinite")
    return numbers


def _largest(rings: list[np.ndarray]) -> list[np.ndarray]:
    """The rings with the most pixels that have at most `MAX_POINTS` together, in their order; one at least."""
    sizes = np.array([len(ring) + POINTS_OF_A_LINE for ring in rings])
    if sizes.sum() <= MAX_POINTS:
        return rings
    order = np.argsort([-_pixels(ring) for ring in rings], kind="stable")
    count = max(1, int((np.cumsum(sizes[order]) <= MAX_POINTS).sum()))
    return [rings[index] for index in sorted(order[:count].tolist())]


def _pixels(ring: np.ndarray) -> float:
    """The pixels in a ring that runs from pixel to pixel, by Pick's theorem."""
    steps = np.roll(ring, -1, axis=0) - ring
    doubled = abs(float((ring[:, 0] * steps[:, 1] - ring[:, 1] * steps[:, 0]).sum()))
    return doubled / 2 + float(np.abs(steps).max(axis=1).sum()) / 2 + 1


def _joined(rings: list[np.ndarray]) -> np.ndarray:
    """One ring (N, 2) through all rings, each entered and left at the point nearest to the ring that leads to it.

    The lines between them are the shortest that join all: a minimum spanning tree.
    """
    lines = _lines_between(rings)
    pieces: list[np.ndarray] = []
    # What is still to do, the next last: points as they are, or a ring with its lines, from the point with an index.
    todo: list[np.ndarray | tuple[int, int]] = [(0, 0)]
    while todo:
        item = todo.pop()
        if isinstance(item, np.ndarray):
            pieces.append(item)
            continue
        ring, start = item
        points = np.roll(rings[ring], -start, axis=0)
        parts: list[np.ndarray | tuple[int, int]] = []
        done = 0
        for place, other, there in sorted(((here - start) % len(points), *end) for here, *end in lines[ring]):
            parts += [points[done : place + 1], (other, there), rings[other][[there]], points[[place]]]
            done = place + 1
        todo += reversed([*parts, points[done:]])
    return np.concatenate(pieces)


def _lines_between(rings: list[np.ndarray]) -> list[list[tuple[int, int, int]]]:
    """For each ring the lines that lead on from it, as seen from the first: its point, the other ring, and its point.

    Of two groups of rings, the two points that are nearest are neighbours in the Delaunay triangulation of all
    points: no third point lies in the circle between them.
    """
    lines: list[list[tuple[int, int, int]]] = [[] for _ in rings]
    if len(rings) == 1:
        return lines
    points = np.concatenate(rings)
    lengths = [len(ring) for ring in rings]
    owner, place = np.repeat(np.arange(len(rings)), lengths), np.concatenate([np.arange(each) for each in lengths])
    ends = _neighbours(points)
    first, second = owner[ends].T
    ends = ends[first != second]
    # From the ring with the lower number to that with the higher one.
    ends = np.take_along_axis(ends, np.argsort(owner[ends], axis=1), axis=1)
    squared = ((points[ends[:, 0]] - points[ends[:, 1]]) ** 2).sum(axis=1)
    ends, squared = ends[order := np.argsort(squared, kind="stable")], squared[order]
    pairs, shortest = np.unique(owner[ends], axis=0, return_index=True)
    shape = (len(rings), len(rings))
    tree = minimum_spanning_tree(coo_array((squared[shortest], (pairs[:, 0], pairs[:, 1])), shape).tocsr())
    reached, leads = breadth_first_order(tree, 0, directed=False)
    ends_of = dict(zip(map(tuple, pairs.tolist()), ends[shortest].tolist(), strict=True))
    for ring in reached[1:].tolist():
        before = int(leads[ring])
        here, there = ends_of[min(before, ring), max(before, ring)]
        here, there = (here, there) if before < ring else (there, here)
        lines[before].append((int(place[here]), ring, int(place[there])))
    return lines


def _neighbours(points: np.ndarray) -> np.ndarray:
    """The edges (N, 2) of the Delaunay triangulation of points, as their indices; of equal points, one is taken."""
    unique, index = np.unique(points, axis=0, return_index=True)
    low, high = unique.min(axis=0), unique.max(axis=0)
    far = 10 * (float((high - low).max()) + 1)
    # Corners far outside keep points on one line from having no triangulation.
    around = np.array([[-far, -far], [far, -far * 1.1], [far * 1.2, far], [-far, far * 1.3]]) + (low + high) / 2
    found = Delaunay(np.concatenate([unique, around]))
    edges = np.concatenate([found.simplices[:, [0, 1]], found.simplices[:, [1, 2]], found.simplices[:, [2, 0]]])
    # Points that the triangulation left out for lack of precision, each with its nearest one.
    edges = np.concatenate([edges, found.coplanar[:, [0, 2]]])
    return index[edges[(edges < len(unique)).all(axis=1)]]
