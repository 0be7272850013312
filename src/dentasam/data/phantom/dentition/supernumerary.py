"""Teeth beyond the 32: a mesiodens between the central incisors, fourth molars, extra premolars and incisors."""

from dataclasses import replace

import numpy as np

from dentasam.data.phantom.anatomy import ToothShape, tooth_shape
from dentasam.data.phantom.dentition.tooth import Dentition, Tooth


def add_supernumerary(rng: np.random.Generator, dentition: Dentition) -> Dentition:
    """The dentition with one to three extra teeth."""
    extra: list[Tooth] = []
    for _ in range(int(rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1]))):
        tooth = _draw(rng, dentition)
        if all(abs(tooth.x - other.x) + abs(tooth.y - other.y) > 0.05 for other in extra):
            extra.append(tooth)
    return replace(dentition, teeth=dentition.teeth + extra)


def _draw(rng: np.random.Generator, dentition: Dentition) -> Tooth:
    kind = rng.choice(["mesiodens", "fourth molar", "premolar", "incisor"], p=[0.4, 0.22, 0.26, 0.12])
    if kind == "fourth molar":
        last = [t for t in dentition.teeth if t.position in (7, 8)]
        if last:
            return _fourth_molar(rng, last[int(rng.integers(len(last)))])
    if kind == "premolar":
        beside = [t for t in dentition.teeth if t.position in (4, 5)]
        if beside:
            return _premolar(rng, beside[int(rng.integers(len(beside)))])
    if kind == "incisor":
        beside = [t for t in dentition.teeth if t.number in ("12", "22", "32", "42")]
        if beside:
            return _incisor(rng, beside[int(rng.integers(len(beside)))])
    return _mesiodens(rng)


def _tooth(
    number: str, x: float, y: float, tilt: float, size: tuple[float, float], shape: ToothShape, germ: bool
) -> Tooth:
    return Tooth(number, x, y, float(np.deg2rad(tilt)), size[0], size[1], shape, germ, True)


def _mesiodens(rng: np.random.Generator) -> Tooth:
    """A small cone in the upper midline: erupted, upright in the bone, or upside down."""
    size = (float(rng.uniform(0.034, 0.05)), float(rng.uniform(0.11, 0.16)))
    shape = tooth_shape(rng, 3, True, float(rng.uniform(0.5, 1.0)))
    x, number = float(rng.normal(0, 0.014)), "11" if rng.random() < 0.5 else "21"
    fate = rng.random()
    if fate < 0.2:
        return _tooth(number, x, 0.55, rng.normal(0, 8), size, shape, False)
    if fate < 0.6:
        return _tooth(number, x, 0.55 - rng.uniform(0.06, 0.2), rng.normal(0, 25), size, shape, True)
    return _tooth(number, x, 0.55 - rng.uniform(0.22, 0.3), 180 + rng.normal(0, 20), size, shape, True)


def _fourth_molar(rng: np.random.Generator, last: Tooth) -> Tooth:
    """Small, distal of the last molar, as a rule in the bone."""
    side = 1.0 if last.number[0] in "2367" else -1.0
    size = (last.width * float(rng.uniform(0.5, 0.8)), last.length * float(rng.uniform(0.5, 0.8)))
    x = last.x + side * (0.5 * last.width + 0.45 * size[0])
    y = last.y + (-1 if last.upper else 1) * float(rng.uniform(0.0, 0.07))
    tilt = float(np.rad2deg(last.tilt)) + (-1 if last.upper else 1) * rng.normal(12, 15)
    shape = tooth_shape(rng, 8, last.upper, float(rng.uniform(0.2, 1.0)))
    return _tooth(f"{last.number[0]}8", x, y, tilt, size, shape, rng.random() < 0.8)


def _premolar(rng: np.random.Generator, beside: Tooth) -> Tooth:
    """Between the roots of the premolars, as a germ or grown."""
    size = (beside.width * float(rng.uniform(0.65, 0.95)), beside.length * float(rng.uniform(0.6, 0.9)))
    x = beside.x + (1 if beside.x > 0 else -1) * beside.width * float(rng.uniform(0.35, 0.65))
    y = beside.y + (-1 if beside.upper else 1) * float(rng.uniform(0.08, 0.14))
    shape = tooth_shape(rng, 5, beside.upper, float(rng.uniform(0.1, 0.8)))
    return _tooth(f"{beside.number[0]}5", x, y, rng.normal(8, 15), size, shape, True)


def _incisor(rng: np.random.Generator, beside: Tooth) -> Tooth:
    """A second lateral incisor, erupted beside the first and a little behind it."""
    size = (beside.width * float(rng.uniform(0.75, 0.95)), beside.length * float(rng.uniform(0.75, 0.95)))
    x = beside.x + (1 if beside.x > 0 else -1) * beside.width * float(rng.uniform(0.4, 0.6))
    y = beside.y + float(rng.normal(0, 0.02))
    return _tooth(f"{beside.number[0]}2", x, y, rng.normal(5, 10), size, tooth_shape(rng, 2, beside.upper), False)
