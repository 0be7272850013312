"""Outlines of teeth by FDI type, in the tooth's own frame.

u runs across the tooth (distal positive, in crown widths), v from the biting edge (0) to the apex (1, in
tooth lengths). Sizes are in units of the panoramic's height and follow the means of the annotated UFBA-425
radiographs.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

# crown width, length, tilt of the apex to distal in degrees, biting edge's height; by position 1..8
UPPER: tuple[tuple[float, float, float, float], ...] = (
    (0.078, 0.232, 1, 0.552),
    (0.064, 0.220, 3, 0.542),
    (0.072, 0.246, 4, 0.533),
    (0.068, 0.214, 2, 0.531),
    (0.068, 0.205, 0, 0.522),
    (0.102, 0.193, -1, 0.516),
    (0.100, 0.188, -7, 0.494),
    (0.088, 0.160, -16, 0.430),
)
LOWER: tuple[tuple[float, float, float, float], ...] = (
    (0.046, 0.168, 1, 0.572),
    (0.051, 0.180, 3, 0.570),
    (0.064, 0.218, 5, 0.567),
    (0.070, 0.206, 7, 0.563),
    (0.075, 0.210, 12, 0.556),
    (0.116, 0.202, 17, 0.540),
    (0.114, 0.195, 26, 0.512),
    (0.108, 0.180, 36, 0.488),
)


@dataclass
class ToothShape:
    """Polygons (N, 2) in u, v. `pieces` together are the tooth; the rest lies inside."""

    pieces: list[Points]
    crown: Points
    dentine: Points
    chamber: list[Points]
    canals: list[Points] = field(default_factory=list)
    neck: float = 0.36


def rounded(points: Points, passes: int = 2) -> Points:
    for _ in range(passes):
        points = 0.25 * np.roll(points, 1, 0) + 0.5 * points + 0.25 * np.roll(points, -1, 0)
    return points


def biting_edge(rng: np.random.Generator, position: int, upper: bool, u: Points) -> Points:
    """Height v of the biting edge over u in -0.5..0.5: flat, one cusp, or two to three cusps."""
    if position <= 2:
        edge = 0.012 * rng.normal() * u * 2 + 0.03 * np.abs(2 * u) ** 4
    elif position == 3:
        edge = rng.uniform(0.06, 0.12) * np.abs(2 * u - rng.normal(0, 0.1))
    elif position <= 5:
        edge = rng.uniform(0.05, 0.1) * np.abs(2 * u + rng.normal(0, 0.15)) ** 1.5
        if not upper or rng.random() < 0.4:
            edge = edge - 0.02 * np.cos(5 * np.pi * u)
    else:
        cusps = 2 if rng.random() < 0.6 else 3
        edge = rng.uniform(0.014, 0.04) * np.cos(2 * np.pi * cusps * (u + 0.5)) + 0.05 * np.abs(2 * u) ** 4
    return np.asarray(edge - edge.min(), np.float64)


def taper(
    start: tuple[float, float],
    end: tuple[float, float],
    wide: float,
    narrow: float,
    bend: float,
    power: float,
) -> tuple[Points, Points]:
    """A root (polygon) from `start` to `end`, `wide` to `narrow`, bowed by `bend`; and its centre line."""
    t = np.linspace(0, 1, 12)
    centre = np.stack(
        [
            start[0] + (end[0] - start[0]) * t + bend * np.sin(np.pi * t) + 0.4 * bend * t**3,
            start[1] + (end[1] - start[1]) * t,
        ],
        axis=1,
    )
    half = (wide + (narrow - wide) * t**power) * np.sqrt(np.clip(1 - t**8, 0, 1)) + 0.004
    side = np.stack([half, np.zeros_like(half)], axis=1)
    return np.concatenate([centre - side, (centre + side)[::-1]]), centre


def ribbon(centre: Points, wide: float, narrow: float) -> Points:
    half = np.linspace(wide, narrow, len(centre))[:, None] * np.array([[1.0, 0.0]])
    return np.concatenate([centre - half, (centre + half)[::-1]])


def _roots(rng: np.random.Generator, position: int, upper: bool) -> list[tuple[float, float, float]]:
    """Where the roots end: (u, length as a share of the tooth, half width at the trunk)."""
    if position <= 5:
        if position == 4 and upper and rng.random() < 0.35:
            gap = rng.uniform(0.08, 0.2)
            return [(-gap, 0.97, 0.2), (gap, 1.0, 0.2)]
        return [(float(rng.normal(0.03, 0.05)), 1.0, 0.36)]
    fused = rng.random() < (0.06 if position == 6 else 0.18 if position == 7 else 0.45)
    if fused:
        return [(float(rng.normal(0.03, 0.08)), 1.0, 0.4)]
    spread = rng.uniform(0.2, 0.36) if position == 6 else rng.uniform(0.13, 0.28)
    if upper:
        roots = [(-spread, rng.uniform(0.88, 1.0), 0.17), (spread, rng.uniform(0.82, 0.97), 0.16)]
        if rng.random() < 0.6:
            roots.append((float(rng.normal(0, 0.08)), rng.uniform(0.85, 1.0), 0.2))
        return roots
    return [(-spread * rng.uniform(0.8, 1.15), 1.0, 0.185), (spread, rng.uniform(0.93, 1.0), 0.175)]


def tooth_shape(rng: np.random.Generator, position: int, upper: bool, growth: float = 1.0) -> ToothShape:
    """The outline of a tooth, `position` 1..8 from the midline; `growth` below 1 shortens its roots."""
    molar = position >= 6
    neck = float(rng.normal(0.40 if molar else 0.37, 0.025))
    waist = float(rng.normal(0.41, 0.03))
    if position <= 2 and not upper:
        waist -= 0.02
    shoulder = rng.uniform(0.44, 0.5)
    u = np.linspace(-shoulder, shoulder, 15)
    top = biting_edge(rng, position, upper, u)
    v = np.linspace(0.06, neck, 9)
    bulge = rng.uniform(0.12, 0.4 if molar else 0.2)
    knots_v = [0.0, 0.06, bulge * neck + 0.06, neck * 0.75, neck]
    sides = []
    for _ in range(2):
        knots = [shoulder * 0.9, shoulder, 0.505, (0.505 + waist) / 2 + 0.015, waist]
        sides.append(np.interp(v, knots_v, knots) + rng.normal(0, 0.008))
    crown = rounded(
        np.concatenate(
            [
                np.stack([u, top], 1),
                np.stack([sides[1], v], 1),
                np.stack([np.linspace(waist, -waist, 7), neck + 0.03 * np.cos(np.linspace(-1.5, 1.5, 7))], 1),
                np.stack([-sides[0], v], 1)[::-1],
            ]
        )
    )
    pieces, canals = [crown], []
    roots = _roots(rng, position, upper)
    trunk = neck + (rng.uniform(0.02, 0.13) if len(roots) > 1 else 0.0)
    if len(roots) > 1:
        block = np.array(
            [
                [-waist, neck - 0.06],
                [waist, neck - 0.06],
                [waist * 0.95, trunk],
                [0.0, trunk + 0.03],
                [-waist * 0.95, trunk],
            ]
        )
        pieces.append(block)
    for end, length, half in roots:
        reach = neck + (length - neck) * growth
        start = float(np.clip(np.sign(end) * (waist - half), -0.3, 0.3)) if len(roots) > 1 else 0.0
        if abs(end) < 0.1 and len(roots) > 1:
            start = 0.0
        wide = min(half, waist) if len(roots) > 1 else waist
        blunt = rng.uniform(0.25, 0.6)
        tip = wide * (blunt if growth > 0.95 else 1.0 - 0.5 * growth)
        bend = float(rng.normal(0.0, 0.045)) - 0.06 * np.sign(end) * (len(roots) > 1) * -1
        begin, power = neck - 0.04, rng.uniform(1.2, 2.2)
        polygon, centre = taper((start, begin), (end * (0.4 + 0.6 * growth), reach), wide, tip, bend, power)
        pieces.append(polygon)
        canal = centre[: max(4, int(len(centre) * rng.uniform(0.8, 1.0)))]
        canals.append(ribbon(canal, wide * rng.uniform(0.14, 0.3), wide * 0.05))
    cap = rng.uniform(0.09, 0.13)
    inner = crown * np.array([1 - 2 * cap * 0.8, 1.0])
    inner[:, 1] = np.where(
        inner[:, 1] < neck * 0.85,
        inner[:, 1] + (0.14 if molar else 0.11) * (1 - inner[:, 1] / neck),
        inner[:, 1],
    )
    inner[:, 0] *= 1 + 0.22 * np.clip(inner[:, 1] / neck, 0, 1)
    wide = rng.uniform(0.16, 0.27) if molar else rng.uniform(0.07, 0.13)
    roof = neck * rng.uniform(0.45, 0.65)
    chamber = rounded(
        np.array(
            [
                [-wide, roof],
                [0, roof + 0.03 * molar],
                [wide, roof],
                [wide, neck],
                [wide * 0.7, trunk],
                [0, trunk - 0.02],
                [-wide * 0.7, trunk],
                [-wide, neck],
            ]
        ),
        1,
    )
    return ToothShape(pieces, crown, inner, [chamber], canals, neck)


def fill(window: NDArray[np.uint8], polygons: list[Points], origin: tuple[int, int], value: int = 255) -> None:
    """Paint pixel polygons (N, 2), to a sixteenth of a pixel, into a window with corner `origin` (x, y)."""
    for polygon in polygons:
        shifted = np.round((polygon - np.array(origin)) * 16).astype(np.int32)
        cv2.fillPoly(window, [shifted], value, lineType=cv2.LINE_8, shift=4)
