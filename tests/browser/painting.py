"""What a brush and a lasso cover, from their definition and pixel by pixel: the reference for the page's spans."""

from collections.abc import Sequence

import numpy as np

Point = tuple[float, float]

# Where both edges of a square lie exactly on pixel centres, one of them counts: a side of n is n pixels.
EDGE = 1 / 4096


def swept(points: Sequence[Point], size: float, shape: str, image: tuple[int, int]) -> np.ndarray:
    """The pixels (H, W) bool whose centre a brush covers that moves along straight lines through image points.

    round: centres within size / 2 of the line. square: centres within a square of side `size` on its way.
    """
    rows, columns = (np.arange(length) + 0.5 for length in image)
    covered = np.zeros(image, bool)
    for a, b in zip(points, [*points[1:], points[-1]], strict=True):
        covered |= (_capsule if shape == "round" else _swept_square)(columns[None], rows[:, None], a, b, size / 2)
    return covered


def _capsule(x: np.ndarray, y: np.ndarray, a: Point, b: Point, radius: float) -> np.ndarray:
    dx, dy = b[0] - a[0], b[1] - a[1]
    along = ((x - a[0]) * dx + (y - a[1]) * dy) / max(dx * dx + dy * dy, 1e-300)
    along = np.clip(along, 0, 1)
    near: np.ndarray = (x - a[0] - along * dx) ** 2 + (y - a[1] - along * dy) ** 2 <= radius * radius
    return near


def _swept_square(x: np.ndarray, y: np.ndarray, a: Point, b: Point, half: float) -> np.ndarray:
    a, b = (a[0] + EDGE, a[1] + EDGE), (b[0] + EDGE, b[1] + EDGE)
    start = np.zeros(np.broadcast_shapes(x.shape, y.shape))
    stop = np.ones_like(start)
    covered = np.ones_like(start, bool)
    for centre, origin, step in ((x, a[0], b[0] - a[0]), (y, a[1], b[1] - a[1])):
        if step == 0:
            covered &= np.abs(centre - origin) <= half
            continue
        first, last = (centre - half - origin) / step, (centre + half - origin) / step
        start = np.maximum(start, np.minimum(first, last))
        stop = np.minimum(stop, np.maximum(first, last))
    return covered & (start <= stop)


def enclosed(points: Sequence[Point], image: tuple[int, int]) -> np.ndarray:
    """The pixels (H, W) bool whose centre lies inside a closed line that does not cross itself."""
    y, x = np.mgrid[0 : image[0], 0 : image[1]] + 0.5
    inside = np.zeros(image, bool)
    for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True):
        if ay == by:
            continue
        crosses = (ay <= y) != (by <= y)
        inside ^= crosses & (x > ax + (y - ay) / (by - ay) * (bx - ax))
    return inside
