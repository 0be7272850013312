"""Deciduous teeth, and teeth that are not whole: roots resorbed, crowns that still grow or that caries took.

Compared with permanent teeth, crowns are short and narrow at the neck, the enamel is thin, the pulp is wide, and the
roots of molars are thin and spread so that the germ of a premolar lies between them.
"""

from dataclasses import replace

import numpy as np

from dentasam.data.phantom.anatomy import Points, ToothShape, biting_edge, ribbon, rounded, taper

# Crown width and length in panoramic heights by position 1..5, from the teeth's mean sizes in millimetres at the
# scale of `anatomy.UPPER`.
UPPER: tuple[tuple[float, float], ...] = (
    (0.060, 0.157),
    (0.047, 0.155),
    (0.065, 0.186),
    (0.074, 0.150),
    (0.088, 0.170),
)
LOWER: tuple[tuple[float, float], ...] = (
    (0.039, 0.138),
    (0.042, 0.147),
    (0.050, 0.166),
    (0.080, 0.156),
    (0.102, 0.180),
)


def deciduous_shape(rng: np.random.Generator, position: int, upper: bool, resorbed: float = 0.0) -> ToothShape:
    """The outline of a deciduous tooth, `position` 1..5; `resorbed` is the share of its roots that is gone."""
    molar = position >= 4
    neck = float(rng.normal(0.36, 0.02))
    waist = float(rng.normal(0.36 if molar else 0.37, 0.02))
    shoulder = rng.uniform(0.38, 0.44)
    u = np.linspace(-shoulder, shoulder, 15)
    top = biting_edge(rng, 6 if molar else position, upper, u)
    v = np.linspace(0.06, neck, 9)
    knots_v = [0.0, 0.06, 0.5 * neck, 0.78 * neck, neck]
    sides = []
    for _ in range(2):
        knots = [shoulder * 0.92, shoulder + 0.02, 0.49, 0.505 if molar else 0.47, waist]
        sides.append(np.interp(v, knots_v, knots) + rng.normal(0, 0.008))
    base = np.stack([np.linspace(waist, -waist, 7), neck + 0.02 * np.cos(np.linspace(-1.5, 1.5, 7))], 1)
    crown = rounded(
        np.concatenate(
            [
                np.stack([u, top], 1),
                np.stack([sides[1], v], 1),
                base,
                np.stack([-sides[0], v], 1)[::-1],
            ]
        )
    )
    pieces, canals = [crown], []
    for start, end, length, wide in _roots(rng, molar, upper, waist):
        polygon, centre = taper(
            (start, neck - 0.05), (end, length), wide, wide * 0.3, 0.12 * end, rng.uniform(0.9, 1.5)
        )
        pieces.append(polygon)
        canals.append(ribbon(centre[: max(4, int(0.85 * len(centre)))], wide * rng.uniform(0.25, 0.4), wide * 0.08))
    cap = rng.uniform(0.05, 0.075)
    inner = crown * np.array([1 - 2 * cap, 1.0])
    inner[:, 1] += np.where(inner[:, 1] < neck * 0.85, 0.075 * (1 - inner[:, 1] / neck), 0.0)
    wide, roof = (rng.uniform(0.2, 0.28), neck * 0.5) if molar else (rng.uniform(0.12, 0.18), neck * 0.4)
    chamber = rounded(
        np.array([[-wide, roof], [0, roof + 0.03 * molar], [wide, roof], [wide, neck], [-wide, neck]]), 1
    )
    shape = ToothShape(pieces, crown, inner, [chamber], canals, neck)
    return cut_off(rng, shape, neck + (1 - neck) * (1 - resorbed)) if resorbed > 0 else shape


def _roots(
    rng: np.random.Generator, molar: bool, upper: bool, waist: float
) -> list[tuple[float, float, float, float]]:
    """u where each root starts and ends, its length as a share of the tooth and its half width."""
    if not molar:
        return [(0.0, float(rng.normal(0.03, 0.05)), 1.0, waist * 0.95)]
    half = 0.15
    roots = [(-(waist - half), -rng.uniform(0.36, 0.46), rng.uniform(0.92, 1.0), half)]
    roots.append((waist - half, rng.uniform(0.36, 0.46), rng.uniform(0.9, 1.0), half))
    if upper and rng.random() < 0.5:
        roots.append((0.0, float(rng.normal(0, 0.05)), rng.uniform(0.8, 0.95), half))
    return roots


def cut_off(rng: np.random.Generator, shape: ToothShape, at: float) -> ToothShape:
    """A tooth without what lies beyond the height v = `at`, with an uneven border there."""
    return _cut(rng, shape, at, np.minimum)


def without_crown(rng: np.random.Generator, shape: ToothShape, at: float) -> ToothShape:
    """What caries leaves of a tooth: what lies beyond the height v = `at`, with an uneven border there."""
    return _cut(rng, shape, at, np.maximum)


def _cut(rng: np.random.Generator, shape: ToothShape, at: float, which: np.ufunc) -> ToothShape:
    lean, wave = rng.normal(0, 0.05), rng.uniform(0, 2 * np.pi)

    def cut(points: Points) -> Points:
        border = at + lean * points[:, 0] + 0.012 * np.sin(9 * points[:, 0] + wave)
        return np.stack([points[:, 0], which(points[:, 1], border)], 1)

    return replace(
        shape,
        pieces=[cut(piece) for piece in shape.pieces],
        crown=cut(shape.crown),
        dentine=cut(shape.dentine),
        chamber=[cut(piece) for piece in shape.chamber],
        canals=[cut(canal) for canal in shape.canals],
    )
