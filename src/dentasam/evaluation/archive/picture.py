"""A chart drawn on its radiograph at full size: the outline of each object, and its number inside it.

Neighbours differ in colour. Numbers are white with a dark rim, so that they can be read on enamel and on air. A
number that is more likely wrong than right is followed by `?`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dentasam.data.images.pictures import displayable
from dentasam.evaluation.overlays import FILLS
from dentasam.model.chart.dentition import IMPLANT, SUPERNUMERARY_TOOTH
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.prompts.correction_clicks import boxed_interior_centre

# A tooth is about 3 % of a panoramic's width, and two digits are as wide as they are high, less a third.
TEXT_SHARE, MIN_TEXT_PX = 1 / 75, 12
LINE_SHARE = 1 / 1000
FONT = cv2.FONT_HERSHEY_SIMPLEX
SHORT_NAMES = {IMPLANT: "imp", SUPERNUMERARY_TOOTH: "extra"}
DOUBTFUL = 0.5


def chart_picture(
    image: NDArray[Any], masks: Sequence[BoxedMask], numbers: Sequence[str], confidences: Sequence[float]
) -> NDArray[np.uint8]:
    """An image (H, W) uint8 or uint16 with its objects, none of them empty. Returns (H, W, 3) RGB."""
    canvas = np.ascontiguousarray(cv2.cvtColor(displayable(image), cv2.COLOR_GRAY2RGB), dtype=np.uint8)
    width = image.shape[1]
    line = max(1, round(LINE_SHARE * width))
    for place, mask in enumerate(masks):
        bits = mask.bits.astype(np.uint8)
        outlines, _ = cv2.findContours(bits, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE, offset=(mask.x, mask.y))
        cv2.drawContours(canvas, outlines, -1, FILLS[place % len(FILLS)], line, cv2.LINE_AA)
    height = max(MIN_TEXT_PX, round(TEXT_SHARE * width))
    # After all outlines, so that none crosses a number.
    for mask, number, confidence in zip(masks, numbers, confidences, strict=True):
        text = SHORT_NAMES.get(number, number) + ("?" if confidence < DOUBTFUL else "")
        _write(canvas, text, boxed_interior_centre(mask), height)
    return canvas


def _write(canvas: NDArray[np.uint8], text: str, centre: tuple[float, float], height: int) -> None:
    """Writes a text with digits of this height in pixels around a point, inside the canvas."""
    rim = max(2, round(height / 8))
    light = np.pad(_ink(text, height / _digit_height(), max(1, rim // 2)), rim)
    # Grown from the digits: what a thickness means differs between versions of OpenCV.
    dark = cv2.dilate(light, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1)))
    rows, columns = canvas.shape[:2]
    light, dark = light[:rows, :columns], dark[:rows, :columns]
    tall, wide = light.shape
    top = int(np.clip(round(centre[1] - tall / 2), 0, rows - tall))
    left = int(np.clip(round(centre[0] - wide / 2), 0, columns - wide))
    part = canvas[top : top + tall, left : left + wide]
    shown = part * (1 - dark[..., None] / 255)
    part[:] = np.round(shown + (255 - shown) * (light[..., None] / 255)).astype(np.uint8)


def _ink(text: str, scale: float, thickness: int) -> NDArray[np.uint8]:
    """(h, w) uint8, 255 where the text is, cut to what it covers."""
    (wide, tall), below = cv2.getTextSize(text, FONT, scale, thickness)
    margin = tall + below + thickness
    ink = np.zeros((2 * margin + tall, 2 * margin + wide), np.uint8)
    cv2.putText(ink, text, (margin, margin + tall), FONT, scale, 255, thickness, cv2.LINE_AA)
    left, top, width, height = cv2.boundingRect(ink)
    return ink[top : top + height, left : left + width]


@cache
def _digit_height() -> float:
    """Pixels that a digit is high at scale 1, measured: the size that OpenCV states includes what lies around it."""
    return _ink("0", 8.0, 1).shape[0] / 8
