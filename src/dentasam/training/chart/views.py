"""Varied views of an image for the chart: another layout of the film and another device, with the teeth's boxes.

A finder that has only seen one clinic's films knows where a jaw lies in them, and little else. So views are shifted,
turned, stretched, cut off, mirrored and of other aspects, far more than those that masks are trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from dentasam.model.chart.dentition import IMPLANT, OUTCOME_OF, mirrored
from dentasam.model.chart.finder import IMPLANT_KIND, TOOTH
from dentasam.model.chart.shapes import shapes_of
from dentasam.model.core.frame import Frame
from dentasam.model.core.gray_range import gray_values
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.prompts.correction_clicks import interior_centre
from dentasam.training.recipe.chart_recipe import Layout
from dentasam.training.recipe.sections import Augmentation
from dentasam.training.samples.area_warp import area_warp, inverse, mapped
from dentasam.training.samples.exposure import draw_exposure, exposed, processed

# A tooth of which a view shows less than this share of its box is left out.
MIN_SHOWN = 0.5
# Panoramics are between these times as wide as high.
_MIN_ASPECT, _MAX_ASPECT = 1.45, 2.8


@dataclass(frozen=True)
class Outline:
    """An object before a view is drawn: its category, the outlines (N, 2) of its parts and its interior centre (2,),
    in pixels."""

    category: str
    parts: tuple[np.ndarray, ...]
    centre: np.ndarray

    def moved(self, move: Callable[[np.ndarray], np.ndarray], category: str | None = None) -> Outline:
        """The object with its points (N, 2) moved."""
        parts = tuple(move(part) for part in self.parts)
        return Outline(category or self.category, parts, move(self.centre[None])[0])


@dataclass(frozen=True)
class ChartTargets:
    """What a view teaches of its P objects.

    places: (P, 6) float32 x0, y0, x1, y1 of the box and x, y of the click, in frame pixels (outer edges, continuous).
    numbers: (P,) places in `NUMBERS`, `SUPERNUMERARY_OUTCOME`, or -1 for an implant. kinds: (P,) `TOOTH` or
    `IMPLANT_KIND`. shapes: (P, 24, 16) float32, see `shapes_of`.
    """

    places: np.ndarray
    numbers: np.ndarray
    kinds: np.ndarray
    shapes: np.ndarray


class View(NamedTuple):
    """What a view shows: gray values (h, w) float32 0..255 of its frame, and its objects."""

    gray: np.ndarray
    frame: Frame
    targets: ChartTargets


def outlines(masks: np.ndarray, categories: Sequence[str]) -> list[Outline]:
    """The teeth and implants among objects with masks (P, H, W) bool; others, and empty masks, are left out."""
    found = []
    for mask, category in zip(masks, categories, strict=True):
        if (category in OUTCOME_OF or category == IMPLANT) and mask.any():
            contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
            parts = tuple(contour[:, 0].astype(np.float64) for contour in contours)
            found.append(Outline(category, parts, interior_centre(mask[None])[0].astype(np.float64)))
    return found


def unvaried_view(image: np.ndarray, objects: Sequence[Outline]) -> View:
    """An image (H, W) as it is, with its objects."""
    frame = Frame.of(*image.shape)
    return View(frame.resized(gray_values(image)), frame, _targets(objects, frame))


def varied_view(
    image: np.ndarray, objects: Sequence[Outline], layout: Layout, look: Augmentation, rng: np.random.Generator
) -> View:
    """As `unvaried_view`, mirrored in half of the views, laid out and exposed anew."""
    exposure = draw_exposure(look, rng)
    gray = processed(gray_values(image), exposure)
    height, width = gray.shape
    if rng.random() < layout.mirror:
        gray = np.ascontiguousarray(gray[:, ::-1])
        objects = [_mirrored(one, width) for one in objects]
    matrix, height, width = draw_layout(height, width, layout, rng)
    border = cv2.BORDER_CONSTANT if rng.random() < 0.5 else cv2.BORDER_REPLICATE
    gray = area_warp(gray, matrix, height, width, border)
    to_view = inverse(matrix)
    moved = [one.moved(lambda points: mapped(points, to_view)) for one in objects]
    frame = Frame.of(height, width)
    return View(exposed(frame.resized(gray), exposure), frame, _targets(moved, frame))


def draw_layout(height: int, width: int, layout: Layout, rng: np.random.Generator) -> tuple[np.ndarray, int, int]:
    """A map (2, 3) from a view to the image of `height` x `width`, both from the corner, and the view's size."""
    new_width = int(np.clip(width * np.exp(rng.normal(0, layout.crop)), 0.6 * width, 1.4 * width))
    new_height = int(np.clip(height * np.exp(rng.normal(0, 0.85 * layout.crop)), 0.7 * height, 1.35 * height))
    new_width = int(np.clip(new_width, _MIN_ASPECT * new_height, _MAX_ASPECT * new_height))
    angle = np.deg2rad(rng.normal(0, layout.rotation_deg))
    across = np.exp(rng.normal(0, layout.zoom))
    down = across * np.exp(rng.normal(0, layout.stretch))
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turned @ np.diag([1 / across, 1 / down])
    middle = np.array([width, height]) * (0.5 + rng.normal(0, layout.shift, 2))
    return np.column_stack([linear, middle - linear @ (new_width / 2, new_height / 2)]), new_height, new_width


def _mirrored(one: Outline, width: int) -> Outline:
    return one.moved(lambda points: np.column_stack([width - 1 - points[:, 0], points[:, 1]]), mirrored(one.category))


def _targets(objects: Sequence[Outline], frame: Frame) -> ChartTargets:
    """The objects that the view shows well enough, in frame pixels."""
    edge = np.array([frame.width, frame.height], np.float64)
    scale = np.array([frame.size[1] / frame.width, frame.size[0] / frame.height])
    places, numbers, kinds, masks = [], [], [], []
    for one in objects:
        points = np.concatenate(one.parts)
        low, high, centre = points.min(0), points.max(0) + 1, one.centre + 0.5
        shown_low, shown_high = np.clip(low, 0, edge), np.clip(high, 0, edge)
        shown = np.prod(np.maximum(shown_high - shown_low, 0))
        if shown < MIN_SHOWN * np.prod(high - low) or not ((centre >= 0) & (centre < edge)).all():
            continue
        places.append(np.concatenate([shown_low * scale, shown_high * scale, centre * scale]))
        numbers.append(OUTCOME_OF.get(one.category, -1))
        kinds.append(IMPLANT_KIND if one.category == IMPLANT else TOOTH)
        masks.append(_mask(one, scale, frame))
    return ChartTargets(
        np.array(places, np.float32).reshape(-1, 6),
        np.array(numbers, np.int64),
        np.array(kinds, np.int64),
        shapes_of(masks),
    )


def _mask(one: Outline, scale: np.ndarray, frame: Frame) -> BoxedMask:
    """The part of an object that lies in the frame, in frame pixels."""
    parts = [np.rint((part + 0.5) * scale - 0.5).astype(np.int32) for part in one.parts]
    points = np.concatenate(parts)
    low = np.maximum(points.min(0), 0).astype(np.int32)
    width, height = np.maximum(np.minimum(points.max(0) + 1, frame.size[::-1]) - low, 0)
    bits = np.zeros((height, width), np.uint8)
    for part in parts:
        cv2.fillPoly(bits, [part - low], 1)
    return BoxedMask(int(low[0]), int(low[1]), bits.astype(bool))
