"""The outlines of a mask as polygons, from which the rule of `polygons` that they are for draws the mask again.

A mask without holes comes back bit for bit: each of its pieces is one ring. A hole is a ring of its own; a format
without holes can only fill it.

    corners      centres      By `corners` a ring runs along the pixels' edges, and pixels that touch at a corner only
    +---+                     are two pieces. By `centres` it runs from pixel to pixel, and they are one piece; so it
    | # |   #    *   *        does by `yolo`, half a pixel to the right and down.
    +---+
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from dentasam.data.masks.polygons import PolygonRule
from dentasam.model.windows.boxed_mask import BoxedMask


class Outline(NamedTuple):
    """A ring of points (N, 2) float64, x and y in pixels, without the first one again at the end.

    It has three points at least: those of a single pixel are equal by the rules `centres` and `yolo`.
    """

    points: np.ndarray
    hole: bool


def outlines_of_mask(mask: np.ndarray, rule: PolygonRule, x: int = 0, y: int = 0) -> list[Outline]:
    """The rings of a mask (h, w) bool, each piece's outer ring followed by its holes; [] for an empty mask.

    x, y: where the mask's upper left pixel lies in the image, as in `BoxedMask`. By `corners` a hole is what the mask
    encloses even across the corners of its pixels, and its ring is the hole's own. By the other rules the mask holds
    together across corners, and the ring of a hole runs through the pixels of the mask around it.
    """
    x, y, mask = BoxedMask(x, y, np.asarray(mask, bool)).tight()
    if not mask.size:
        return []
    offset = np.array([x, y]) + (0.5 if rule is PolygonRule.yolo else 0.0)
    rings = _edge_rings(mask) if rule is PolygonRule.corners else _pixel_rings(mask)
    return [Outline(points + offset, hole) for points, hole in rings]


def _pixel_rings(mask: np.ndarray) -> list[tuple[np.ndarray, bool]]:
    found, hierarchy = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    parents = hierarchy.reshape(-1, 4)[:, 3].tolist()
    holes: dict[int, list[int]] = {outer: [] for outer, parent in enumerate(parents) if parent < 0}
    for ring, parent in enumerate(parents):
        if parent >= 0:
            holes[parent].append(ring)
    order = [(ring, ring != outer) for outer, own in holes.items() for ring in (outer, *own)]
    return [(_three_points(found[ring]), hole) for ring, hole in order]


def _three_points(contour: np.ndarray) -> np.ndarray:
    """A contour (N, 1, 2) of OpenCV as points (N, 2); the only ones of one or two pixels are there more than once."""
    points = contour.reshape(-1, 2).astype(np.float64)
    return points if len(points) > 2 else points[[0, len(points) - 1, len(points) - 1]]


def _edge_rings(mask: np.ndarray) -> list[tuple[np.ndarray, bool]]:
    """Rings (N, 2) along the edges of the pixels, with the mask on the right hand: an outer ring runs clockwise."""
    height, width = mask.shape
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    # Edges by direction: 0 to the right (a pixel's upper edge), 1 down (right), 2 to the left (lower), 3 up (left).
    # starts[direction, y, x]: whether an edge starts at the corner x, y.
    starts = np.zeros((4, height + 1, width + 1), bool)
    starts[0, :-1, :-1] = inside & ~padded[:-2, 1:-1]
    starts[1, :-1, 1:] = inside & ~padded[1:-1, 2:]
    starts[2, 1:, 1:] = inside & ~padded[2:, 1:-1]
    starts[3, 1:, :-1] = inside & ~padded[1:-1, :-2]
    edges = np.flatnonzero(starts)
    direction, row, column = np.unravel_index(edges, starts.shape)
    end_row, end_column = row + np.array([0, 1, 0, -1])[direction], column + np.array([1, 0, -1, 0])[direction]
    right, straight, left = ((direction + turn) % 4 for turn in (1, 0, 3))
    # At a corner between two pixels that touch there only, the right turn stays with the pixel.
    turn = np.where(
        starts[right, end_row, end_column], right, np.where(starts[straight, end_row, end_column], straight, left)
    )
    following = np.searchsorted(edges, np.ravel_multi_index((turn, end_row, end_column), starts.shape)).tolist()
    _, pieces = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    # The pixel on the right hand of each edge.
    piece = pieces[row - np.array([0, 0, 1, 1])[direction], column - np.array([0, 1, 1, 0])[direction]]
    bends = (turn != direction).tolist()

    rings: list[tuple[int, bool, np.ndarray]] = []
    visited = np.zeros(len(following), bool)
    for first in np.flatnonzero(direction == 0).tolist():
        if visited[first]:
            continue
        ring, edge = [], first
        while True:
            ring.append(edge)
            edge = following[edge]
            if edge == first:
                break
        visited[ring] = True
        corners = [edge for edge in ring if bends[edge]]
        points = np.stack([end_column[corners], end_row[corners]], axis=1).astype(np.float64)
        x, y = points.T
        clockwise = bool(np.dot(x, np.roll(y, -1)) > np.dot(y, np.roll(x, -1)))
        rings.append((int(piece[first]), not clockwise, points))
    rings.sort(key=lambda ring: ring[:2])
    return [(points, hole) for _, hole, points in rings]
