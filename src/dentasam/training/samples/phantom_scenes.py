"""Drawn scenes of phantoms and shapes: an image with its objects in boxes, of which some are parts of others."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dentasam.data.phantom import CONDITIONS, PART_CATEGORIES, generate, generate_shapes
from dentasam.prompts.correction_clicks import interior_centre

# A part lies within an object where this share of it does.
_MIN_INSIDE = 0.9


@dataclass(frozen=True)
class SceneObject:
    """An object of a scene within its bounding box: mask (h, w) uint8 0 or 255, at (x, y)."""

    x: int
    y: int
    mask: np.ndarray
    area: int
    category: str


@dataclass(frozen=True)
class Scene:
    """A drawn image (h, w) uint8 and its objects."""

    image: np.ndarray
    objects: list[SceneObject]

    @property
    def bytes(self) -> int:
        return self.image.nbytes + sum(item.mask.nbytes for item in self.objects)


def draw_scene(
    seed: int,
    shapes: bool,
    width: int,
    height: int,
    conditions_share: float,
    fillings_share: float,
    rng: np.random.Generator,
) -> Scene:
    """A phantom, or textured shapes, of which parts are objects by the chance `fillings_share`.

    conditions_share: the chance of one of the bad-case conditions. seed: of the drawing; rng: of these choices.
    """
    if shapes:
        phantom = generate_shapes(seed, width, height)
    else:
        hard = [str(rng.choice(CONDITIONS))] if rng.random() < conditions_share else []
        phantom = generate(seed, width, height, hard)
    objects = []
    for item in phantom.objects:
        if item.category in PART_CATEGORIES and rng.random() > fillings_share:
            continue
        x, y, w, h = cv2.boundingRect(item.mask.astype(np.uint8))
        if w and h:
            mask = item.mask[y : y + h, x : x + w].astype(np.uint8) * 255
            objects.append(SceneObject(x, y, mask, int(item.mask.sum()), item.category))
    return Scene(phantom.image, objects)


def click_on_part(
    whole: SceneObject, others: list[SceneObject], click: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """A first click (2,) x, y on an object at the interior centre of a part that lies within it, else the given one.

    So a click on a filling also means the tooth, and one on a post the root filling.
    """
    shared = [_shared(whole, other) for other in others if other is not whole and other.category in PART_CATEGORIES]
    within = [mask for mask in shared if mask is not None]
    if not within:
        return click
    return interior_centre(within[int(rng.integers(len(within)))][None])[0] + np.array([whole.x, whole.y], np.float32)


def _shared(whole: SceneObject, other: SceneObject) -> np.ndarray | None:
    """Where another object lies in the box of an object, (h, w) bool; None where it is not a part of it."""
    left, top = max(whole.x, other.x), max(whole.y, other.y)
    right = min(whole.x + whole.mask.shape[1], other.x + other.mask.shape[1])
    bottom = min(whole.y + whole.mask.shape[0], other.y + other.mask.shape[0])
    if right <= left or bottom <= top or other.area > _MIN_INSIDE * whole.area:
        return None
    both = np.zeros(whole.mask.shape, bool)
    rows, columns = slice(top - whole.y, bottom - whole.y), slice(left - whole.x, right - whole.x)
    both[rows, columns] = other.mask[top - other.y : bottom - other.y, left - other.x : right - other.x] > 0
    both &= whole.mask > 0
    return both if both.sum() >= _MIN_INSIDE * other.area else None
