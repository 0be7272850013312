"""The coverage of an object within its bounding box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BoxedCoverage:
    """Coverage 0..255 of one object, (h, w) uint8, whose upper left pixel is at (`top`, `left`) of the whole map.

    It may reach beyond the whole map.
    """

    top: int
    left: int
    coverage: np.ndarray


def boxed(plane: np.ndarray, factor: int = 1) -> BoxedCoverage | None:
    """The part of a map (h, w) uint8 around what is not 0, times a factor; None for a map of zeros."""
    rows, cols = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
    if not len(rows):
        return None
    top, left = int(rows[0]), int(cols[0])
    return BoxedCoverage(top, left, plane[top : rows[-1] + 1, left : cols[-1] + 1] * np.uint8(factor))
