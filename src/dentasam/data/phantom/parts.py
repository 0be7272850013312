"""Parts of teeth that a click may mean instead of the tooth: root fillings, posts, fillings of other looks, lesions.

They are drawn from a stream of their own, after the teeth, so that the rest of a phantom is the same without them.

    tooth > restoration (bright or dark filling, thin inlay, crown)
    tooth > root filling > post (a restoration within it)
    tooth > caries;  periapical lesion, at a root's end
"""

from collections.abc import Sequence

import cv2
import numpy as np

from dentasam.data.phantom.anatomy import Points
from dentasam.data.phantom.dentition.tooth import Tooth
from dentasam.data.phantom.rendering import BRIDGE, Metal, Window, paint, window_of
from dentasam.data.phantom.scene import FloatImage, Geometry, Mask, PhantomObject

ROOT_FILLING, CARIES, PERIAPICAL = "root filling", "caries", "periapical lesion"
# Categories of objects that lie within a tooth or on several, or grow out of one.
PART_CATEGORIES = frozenset({"restoration", BRIDGE, ROOT_FILLING, CARIES, PERIAPICAL})
# How many teeth of an image have each part, as shares; half of the images have none of the drawn ones.
_PLAIN, _INLAY, _DARK, _CARIES, _PERIAPICAL, _POST = 0.5, 0.03, 0.03, 0.05, 0.03, 0.25
# Coverage of metal above which nothing behind it is seen.
_HIDING = 0.5
# Smaller objects, in pixels of a 512-line panoramic, are not annotated.
_LEAST_AREA = 12.0


def draw_parts(
    rng: np.random.Generator,
    arch: FloatImage,
    metal: Metal,
    teeth: Sequence[tuple[Tooth, Mask]],
    root_filled: Sequence[tuple[Tooth, Mask]],
    geometry: Geometry,
) -> list[PhantomObject]:
    """Add parts to the teeth's attenuation and to the metal; the objects that they are.

    root_filled: the root fillings that are drawn already, (H, W) bool, each with its tooth.
    """
    objects = []
    for tooth, canals in root_filled:
        mask = canals & (metal.coverage <= _HIDING)  # not what a crown hides
        if np.count_nonzero(mask) < _LEAST_AREA * geometry.pixel**2:
            continue
        objects.append(PhantomObject(ROOT_FILLING, mask))
        if rng.random() < _POST:
            objects += _metal("restoration", _post(rng, tooth), mask, tooth, metal, geometry)
    if rng.random() < _PLAIN:
        return objects
    for tooth, mask in teeth:
        if tooth.germ:
            continue
        draws = rng.random(4)
        if draws[0] < _INLAY:
            objects += _metal("restoration", _inlay(rng), mask, tooth, metal, geometry)
        elif draws[1] < _DARK:
            level = -float(rng.uniform(18, 45))
            objects += _added("restoration", _at_contact(rng, tooth), mask, tooth, arch, level, metal, geometry)
        elif draws[2] < _CARIES:
            level = -float(rng.uniform(15, 45))
            objects += _added(CARIES, _at_contact(rng, tooth), mask, tooth, arch, level, metal, geometry)
        if draws[3] < _PERIAPICAL:
            level = -float(rng.uniform(14, 40))
            objects += _added(PERIAPICAL, _at_apex(rng, tooth), None, tooth, arch, level, metal, geometry)
    return objects


def _metal(
    category: str, outline: Points, within: Mask, tooth: Tooth, metal: Metal, geometry: Geometry
) -> list[PhantomObject]:
    """Cover an outline (N, 2) in u, v, cut to a mask, with metal; one object, or none where it would be too small."""
    window = window_of(tooth.pixels(outline, geometry), geometry, 5 * geometry.pixel)
    if window is None:
        return []
    inside = (paint(window, [tooth.pixels(outline, geometry)]) > 0) & within[window]
    metal.coverage[window] = np.maximum(metal.coverage[window], _soft(inside, geometry))
    return _annotated(category, inside, window, geometry)


def _added(
    category: str,
    outline: Points,
    within: Mask | None,
    tooth: Tooth,
    arch: FloatImage,
    level: float,
    metal: Metal,
    geometry: Geometry,
) -> list[PhantomObject]:
    """Add `level` to the arch in an outline (N, 2) in u, v, cut to a mask; the object is what no metal hides."""
    window = window_of(tooth.pixels(outline, geometry), geometry, 5 * geometry.pixel)
    if window is None:
        return []
    inside = paint(window, [tooth.pixels(outline, geometry)]) > 0
    if within is not None:
        inside &= within[window]
    arch[window] += _soft(inside, geometry) * np.float32(level)
    return _annotated(category, inside & (metal.coverage[window] <= _HIDING), window, geometry)


def _annotated(category: str, inside: Mask, window: Window, geometry: Geometry) -> list[PhantomObject]:
    if np.count_nonzero(inside) < _LEAST_AREA * geometry.pixel**2:
        return []
    mask = np.zeros((geometry.height, geometry.width), bool)
    mask[window] = inside
    return [PhantomObject(category, mask)]


def _soft(inside: Mask, geometry: Geometry) -> FloatImage:
    sigma = max(0.8 * geometry.pixel, 0.3)
    return np.asarray(cv2.GaussianBlur(inside.astype(np.float32), (0, 0), sigma), np.float32)


def _ellipse(rng: np.random.Generator, centre: tuple[float, float], wide: float, tall: float) -> Points:
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radius = 1 + 0.15 * rng.normal() * np.cos(2 * turn) + 0.1 * rng.normal() * np.cos(3 * turn + 1)
    return np.stack([centre[0] + wide * radius * np.cos(turn), centre[1] + tall * radius * np.sin(turn)], 1)


def _inlay(rng: np.random.Generator) -> Points:
    """A thin band along the biting edge."""
    depth, reach = float(rng.uniform(0.05, 0.11)), float(rng.uniform(0.3, 0.48))
    u = np.linspace(-reach, reach, 9)
    upper = np.stack([u, np.full_like(u, -0.05)], 1)
    lower = np.stack([u, depth + 0.03 * np.cos(2 * np.pi * u)], 1)
    return np.concatenate([upper, lower[::-1]])


def _at_contact(rng: np.random.Generator, tooth: Tooth) -> Points:
    """A round hollow on one side of the crown, where teeth touch, or at the neck."""
    side, neck = float(rng.choice([-1.0, 1.0])), tooth.shape.neck
    v = float(rng.uniform(0.25, 0.6) if rng.random() < 0.7 else rng.uniform(0.9, 1.05)) * neck
    return _ellipse(rng, (side * float(rng.uniform(0.3, 0.42)), v), rng.uniform(0.1, 0.22), rng.uniform(0.03, 0.07))


def _at_apex(rng: np.random.Generator, tooth: Tooth) -> Points:
    """A round radiolucency at the end of one root."""
    canal = tooth.shape.canals[int(rng.integers(len(tooth.shape.canals)))]
    end = canal[len(canal) // 2 - 1 : len(canal) // 2 + 1].mean(axis=0)
    size = float(rng.uniform(0.018, 0.045))  # panoramic heights
    centre = (float(end[0]), float(end[1]) + 0.6 * size / tooth.length)
    return _ellipse(rng, centre, size / tooth.width, size / tooth.length)


def _post(rng: np.random.Generator, tooth: Tooth) -> Points:
    """A metal post in a root canal, from the crown to half of the root: a part of the root filling."""
    canal = tooth.shape.canals[int(rng.integers(len(tooth.shape.canals)))]
    half = len(canal) // 2
    centre = (canal[:half] + canal[half:][::-1]) / 2
    centre = centre[: max(3, int(half * rng.uniform(0.4, 0.65)))]
    side = np.array([[float(rng.uniform(0.02, 0.045)), 0.0]])
    return np.concatenate([centre - side, (centre + side)[::-1]])
