"""Varied views of an image for the chart: another layout of the film and another device, with the teeth's boxes.

A finder that has only seen one clinic's films knows where a jaw lies in them, and little else. So views are shifted,
turned, stretched, cut off, mirrored and of other aspects, far more than those that masks are trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dentasam.data.arch_order import mirrored
from dentasam.model.chart.dentition import IMPLANT, NUMBERS, SUPERNUMERARY_TOOTH
from dentasam.model.chart.finder import IMPLANT_KIND, SUPERNUMERARY, TOOTH
from dentasam.model.core.frame import Frame
from dentasam.model.core.gray_range import gray_values
from dentasam.prompts.correction_clicks import interior_centre
from dentasam.training.recipe.chart_recipe import Layout
from dentasam.training.recipe.sections import Augmentation
from dentasam.training.samples.area_warp import area_warp, inverse, mapped
from dentasam.training.samples.exposure import draw_exposure, exposed, processed

# A tooth of which a view shows less than this share of its box is left out.
MIN_SHOWN = 0.5
# Panoramics are between these times as wide as high.
_MIN_ASPECT, _MAX_ASPECT = 1.45, 2.8
_INDEX = {number: place for place, number in enumerate(NUMBERS)} | {SUPERNUMERARY_TOOTH: SUPERNUMERARY}


@dataclass(frozen=True)
class Outline:
    """An object before a view is drawn: its category, its outline (N, 2) and its interior centre (2,), in pixels."""

    category: str
    points: np.ndarray
    centre: np.ndarray


@dataclass(frozen=True)
class ChartTargets:
    """What a view teaches of its P objects.

    places: (P, 6) float32 x0, y0, x1, y1 of the box and x, y of the click, in frame pixels (outer edges, continuous).
    numbers: (P,) places in `NUMBERS`, `SUPERNUMERARY`, or -1 for an implant. kinds: (P,) `TOOTH` or `IMPLANT_KIND`.
    """

    places: np.ndarray
    numbers: np.ndarray
    kinds: np.ndarray


def outlines(masks: np.ndarray, categories: Sequence[str]) -> list[Outline]:
    """The teeth and implants among objects with masks (P, H, W) bool; others, and empty masks, are left out."""
    found = []
    for mask, category in zip(masks, categories, strict=True):
        if (category in _INDEX or category == IMPLANT) and mask.any():
            contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
            points = np.concatenate([contour[:, 0] for contour in contours]).astype(np.float64)
            found.append(Outline(category, points, interior_centre(mask[None])[0].astype(np.float64)))
    return found


def unvaried_view(image: np.ndarray, objects: Sequence[Outline]) -> tuple[np.ndarray, Frame, ChartTargets]:
    """An image (H, W) as it is, as gray values (h, w) float32 0..255 at its frame's size, with its objects."""
    frame = Frame.of(*image.shape)
    return frame.resized(gray_values(image)), frame, _targets(objects, frame)


def varied_view(
    image: np.ndarray, objects: Sequence[Outline], layout: Layout, look: Augmentation, rng: np.random.Generator
) -> tuple[np.ndarray, Frame, ChartTargets]:
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
    moved = [
        Outline(one.category, mapped(one.points, to_view), mapped(one.centre[None], to_view)[0]) for one in objects
    ]
    frame = Frame.of(height, width)
    return exposed(frame.resized(gray), exposure), frame, _targets(moved, frame)


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
    points, centre = one.points.copy(), one.centre.copy()
    points[:, 0], centre[0] = width - 1 - points[:, 0], width - 1 - centre[0]
    return Outline(mirrored(one.category), points, centre)


def _targets(objects: Sequence[Outline], frame: Frame) -> ChartTargets:
    """The objects that the view shows well enough, in frame pixels."""
    edge = np.array([frame.width, frame.height], np.float64)
    scale = np.array([frame.size[1] / frame.width, frame.size[0] / frame.height])
    places, numbers, kinds = [], [], []
    for one in objects:
        low, high, centre = one.points.min(0), one.points.max(0) + 1, one.centre + 0.5
        shown_low, shown_high = np.clip(low, 0, edge), np.clip(high, 0, edge)
        shown = np.prod(np.maximum(shown_high - shown_low, 0))
        if shown < MIN_SHOWN * np.prod(high - low) or not ((centre >= 0) & (centre < edge)).all():
            continue
        places.append(np.concatenate([shown_low * scale, shown_high * scale, centre * scale]))
        numbers.append(_INDEX.get(one.category, -1))
        kinds.append(IMPLANT_KIND if one.category == IMPLANT else TOOTH)
    return ChartTargets(
        np.array(places, np.float32).reshape(-1, 6), np.array(numbers, np.int64), np.array(kinds, np.int64)
    )
