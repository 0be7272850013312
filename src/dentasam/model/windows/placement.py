"""Where an object's window lies: around its mask, its box or a click, and when it has to move.

Numbers in this file were chosen on UFBA's validation images and on held-out phantoms (`docs/results.md`).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from dentasam.model.core.frame import PATCH, Frame
from dentasam.model.windows.boxed_mask import BoxedMask, clicked_pixel
from dentasam.model.windows.window import COLS, ROWS, Window

# A window's side over that of the object's box. 1.35 and 1.9 gave the same Dice; with 1.35 windows move three times
# as often.
MARGIN = 1.6
# The smallest window's height, as a share of the image's width: some fillings are only a few pixels wide.
MIN_HEIGHT = 0.07
# A window around a click alone has this height, as a share of the image's width: about that of a tooth.
CLICK_HEIGHT = 0.2
# The mask of a first click that covers more of the image than this is poor unless the model is sure of it.
MAX_SHARE = 0.05
MIN_SURE_SCORE = 0.8
# A mask or click is at the window's edge if it is closer to it than this share of the window's side.
EDGE = 0.04
# A click moves the window as if it were this wide, as a share of the image's width.
CLICK_REACH = 0.01
# A window over this many times as large as the object's box shrinks.
MAX_RATIO = 3.0
# A window whose pixels are coarser than this share of the whole frame's adds nothing, so the whole image answers.
MAX_COARSENESS = 0.9


class Box(NamedTuple):
    """x0, y0, x1, y1 in image pixels, outer edges."""

    x0: float
    y0: float
    x1: float
    y1: float

    @classmethod
    def of_mask(cls, mask: BoxedMask) -> Box | None:
        """The box of a mask that is tight around its pixels; None for an empty mask."""
        height, width = mask.bits.shape
        return cls(mask.x, mask.y, mask.x + width, mask.y + height) if mask.bits.any() else None

    @classmethod
    def around(cls, x: float, y: float, width: float, height: float) -> Box:
        """A box of a size around a point."""
        return cls(x - width / 2, y - height / 2, x + width / 2, y + height / 2)

    def joined(self, other: Box) -> Box:
        """The smallest box around both."""
        return Box(min(self.x0, other.x0), min(self.y0, other.y0), max(self.x1, other.x1), max(self.y1, other.y1))


def clicked_region(mask: BoxedMask, clicks: np.ndarray) -> BoxedMask | None:
    """The regions of a mask that hold its positive clicks, (k, 3) x, y, label; None where no click is in the mask.

    A stray island elsewhere in the image would make a window of the whole image.
    """
    filled = mask.bits.astype(np.uint8)
    for x, y, label in clicks:
        if label == 1 and mask.at(x, y):
            column, row = clicked_pixel(x, y)
            cv2.floodFill(filled, None, (column - mask.x, row - mask.y), 2)
    region = (filled == 2).view(np.uint8)
    left, top, width, height = cv2.boundingRect(region)
    if not width:
        return None
    return BoxedMask(mask.x + left, mask.y + top, region[top : top + height, left : left + width].astype(bool))


def first_window(mask: BoxedMask, score: float, clicks: np.ndarray, frame: Frame) -> tuple[Window | None, bool]:
    """The window after the whole image's answer, and whether that answer is worth feeding back.

    A poor answer (no region at the clicks, or a huge one that the model is not sure of) gives a window around the
    newest positive click. None where a window would be no finer than the whole image.
    """
    region = clicked_region(mask, clicks) if len(clicks) else mask
    box = None if region is None else Box.of_mask(region)
    huge = region is not None and region.bits.sum() > MAX_SHARE * frame.height * frame.width
    if box is None or (huge and score < MIN_SURE_SCORE):
        at = _newest_positive(clicks)
        return (None if at is None else finer(click_window(*at, frame), frame)), False
    return finer(window_around(_with_clicks(box, clicks, None, frame), frame), frame), True


def box_window(box: Box, frame: Frame) -> Window | None:
    """The window of a box that a person drew; None where it would be no finer than the whole image."""
    return finer(window_around(box, frame), frame)


def following_window(window: Window, mask: BoxedMask, clicks: np.ndarray, frame: Frame) -> Window | None:
    """The same window while mask and clicks are well inside it, else one around them.

    None where it would be no finer than the whole image, which then answers.
    """
    box = Box.of_mask(mask)
    if box is None:
        at = _newest_positive(clicks)
        return window if at is None or window.holds(*at) else finer(click_window(*at, frame), frame)
    box = _with_clicks(box, clicks, window, frame)
    if _inside(window, box, frame) and not _too_large(window, box, frame):
        return window
    return finer(window_around(box, frame), frame)


def window_around(box: Box, frame: Frame) -> Window:
    """A window with margin around a box, inside the image where it fits."""
    height, width = frame.height, frame.width
    rows, cols = PATCH * ROWS, PATCH * COLS
    scale = max((box.x1 - box.x0) * MARGIN / cols, (box.y1 - box.y0) * MARGIN / rows, MIN_HEIGHT * width / rows)
    return _placed((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, scale, height, width)


def click_window(x: float, y: float, frame: Frame) -> Window:
    """A window of about a tooth's size around a click."""
    scale = CLICK_HEIGHT * frame.width / (PATCH * ROWS)
    return _placed(x + 0.5, y + 0.5, scale, frame.height, frame.width)


def finer(window: Window, frame: Frame) -> Window | None:
    """The window, or None where its pixels are hardly finer than the whole frame's."""
    return window if window.scale * frame.scale < MAX_COARSENESS else None


def _placed(x: float, y: float, scale: float, height: int, width: int) -> Window:
    """A window around a point, moved into the image along each axis on which it fits."""
    rows, cols = PATCH * ROWS * scale, PATCH * COLS * scale
    left = float(np.clip(x - cols / 2, 0, width - cols)) if cols <= width else (width - cols) / 2
    top = float(np.clip(y - rows / 2, 0, height - rows)) if rows <= height else (height - rows) / 2
    return Window(left, top, float(scale), height, width)


def _newest_positive(clicks: np.ndarray) -> tuple[float, float] | None:
    positive = [(float(x), float(y)) for x, y, label in clicks if label == 1]
    return positive[-1] if positive else None


def _with_clicks(box: Box, clicks: np.ndarray, window: Window | None, frame: Frame) -> Box:
    """The box with all positive clicks, and the newest click where the window shows it, with some pixels around each.

    What a window does not show is not the object's, so a negative click there is obeyed already.
    """
    reach = CLICK_REACH * frame.width
    for place, (x, y, label) in enumerate(clicks):
        newest = place == len(clicks) - 1 and window is not None and window.holds(float(x), float(y))
        if label == 1 or newest:
            box = box.joined(Box.around(float(x) + 0.5, float(y) + 0.5, reach, reach))
    return box


def _inside(window: Window, box: Box, frame: Frame) -> bool:
    """Whether the box keeps its distance from the window's edges, except where they are at the image's."""
    height, width = window.size
    x1, y1 = window.x + width, window.y + height
    return (
        (box.x0 >= window.x + EDGE * width or window.x <= 0.5)
        and (box.y0 >= window.y + EDGE * height or window.y <= 0.5)
        and (box.x1 <= x1 - EDGE * width or x1 >= frame.width - 0.5)
        and (box.y1 <= y1 - EDGE * height or y1 >= frame.height - 0.5)
    )


def _too_large(window: Window, box: Box, frame: Frame) -> bool:
    """Whether the object fills too little of a window that could be smaller."""
    height, width = window.size
    filled = max((box.x1 - box.x0) / width, (box.y1 - box.y0) / height)
    smallest = MIN_HEIGHT * frame.width / (PATCH * ROWS)
    return filled < 1 / MAX_RATIO and window.scale > 1.3 * smallest
