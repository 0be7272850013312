"""A window that is drawn at random around what the model answers to the first click.

It is placed by the rules of use (`model/windows/placement.py`) in the view that the model was given, the whole image
in its frame. Then its margin, size and place are varied, and it is rotated and mirrored. Some windows lie around the
click alone, or around the object's own box, as after a box that a person drew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dentasam.model.core.frame import PATCH, Frame
from dentasam.model.core.full_resolution import full_mask
from dentasam.model.windows.placement import MARGIN, MIN_HEIGHT, Box, box_window, click_window, first_window
from dentasam.model.windows.window import COLS, ROWS, BoxedMask, Window
from dentasam.training.recipe.sections import ObjectWindows

HEIGHT, WIDTH = PATCH * ROWS, PATCH * COLS
# The click stays this share of the window's half sides from its centre at most.
_CLICK_REACH = 0.9


@dataclass(frozen=True)
class DrawnWindow:
    """matrix: (2, 3) from the window's 384 x 256 pixels to the frame, both from the upper left corner.

    fed_back: whether the first answer's logits are given with the first click.
    """

    matrix: np.ndarray
    fed_back: bool


def view_of(frame: Frame) -> Frame:
    """The frame's own pixels as an image in which windows are placed: only the image's shape matters for that."""
    height, width = frame.size
    return Frame(height, width, 1.0, frame.rows, frame.cols)


def draw_window(
    logits: np.ndarray,
    score: float,
    click: np.ndarray,
    box: Box,
    by_box: bool,
    view: Frame,
    settings: ObjectWindows,
    rng: np.random.Generator,
) -> DrawnWindow:
    """A window after a first answer of the whole image.

    logits: (4 rows, 4 cols), the answer, and its score. click: (2,), the first click, and box: the object's own, in
    pixels of the view. by_box: the first prompt is that box.
    """
    kind = rng.random()
    point = float(click[0]), float(click[1])
    at_click = np.array([[*point, 1.0]])
    answered, useful = first_window(BoxedMask(*full_mask(logits, view)), score, at_click, view)
    window: Window | None = answered if useful else None
    fed_back = useful
    if by_box:
        window, fed_back = box_window(box, view), True
    elif kind < settings.click_alone:
        window, fed_back = None, useful and bool(rng.random() < 0.5)
    elif kind < settings.click_alone + settings.box_alone:
        window, fed_back = box_window(box, view), False
    if window is None:
        low, high = np.log(settings.click_height)
        window = click_window(*point, view)
        scale = float(np.exp(rng.uniform(low, high))) * view.width / HEIGHT
    else:
        scale = window.scale * float(rng.uniform(*settings.margin)) / MARGIN
        scale = max(scale, MIN_HEIGHT * view.width / HEIGHT)
    tall, wide = window.size
    centre = np.array([window.x + wide / 2, window.y + tall / 2])
    return DrawnWindow(_varied(centre, scale, np.array(point) + 0.5, view, settings, rng), fed_back)


def _varied(
    centre: np.ndarray,
    scale: float,
    click: np.ndarray,
    view: Frame,
    settings: ObjectWindows,
    rng: np.random.Generator,
) -> np.ndarray:
    """The matrix of a window of a centre and scale in the view, moved at random."""
    scale *= math.exp(settings.scale_jitter * rng.standard_normal())
    half = np.array([WIDTH, HEIGHT]) * scale / 2
    centre = centre + rng.uniform(-2, 2, 2) * settings.shift * half
    # inside the image along each axis on which it fits, and with the click inside
    size = np.array([view.width, view.height])
    centre = np.where(2 * half <= size, np.clip(centre, half, np.maximum(half, size - half)), size / 2)
    centre = np.clip(centre, click - _CLICK_REACH * half, click + _CLICK_REACH * half)
    turned, mirrored = rng.random(2) < (0.5, settings.mirror)
    angle = math.radians(settings.rotation_deg) * rng.standard_normal() if turned else 0.0
    cos, sin, side = math.cos(angle), math.sin(angle), -1.0 if mirrored else 1.0
    linear = scale * np.array([[cos * side, -sin], [sin * side, cos]])
    return np.column_stack([linear, centre - linear @ (WIDTH / 2, HEIGHT / 2)])
