"""A chart drawn on its radiograph at full size: the outline of each object, and its number inside it.

Neighbours differ in colour. Numbers are white with a dark rim, so that they can be read on enamel and on air. A
number that is more likely wrong than right is followed by `?`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dentasam.evaluation.overlays import FILLS, displayable
from dentasam.model.chart.dentition import IMPLANT
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.prompts.correction_clicks import boxed_interior_centre

# A tooth is about 3 % of a panoramic's width, and two digits are as wide as they are high, less a third.
TEXT_SHARE, MIN_TEXT_PX = 1 / 75, 12
LINE_SHARE = 1 / 1000
FONT = cv2.FONT_HERSHEY_SIMPLEX
SHORT_NAMES = {IMPLANT: "imp"}
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
    thick, rim = max(1, round(height / 8)), max(2, round(height / 8))
    scale = height / cv2.getTextSize("0", FONT, 1.0, 1)[0][1]
    (wide, tall), _ = cv2.getTextSize(text, FONT, scale, thick)
    edge = rim + thick
    # Drawn apart and its rim grown from it: what a thickness means differs between versions of OpenCV.
    ink = np.zeros((tall + 2 * edge, wide + 2 * edge), np.uint8)
    cv2.putText(ink, text, (edge, tall + edge), FONT, scale, 255, thick, cv2.LINE_AA)
    dark = cv2.dilate(ink, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1)))
    rows, columns = canvas.shape[:2]
    ink, dark = ink[:rows, :columns], dark[:rows, :columns]
    top = int(np.clip(round(centre[1] - ink.shape[0] / 2), 0, rows - ink.shape[0]))
    left = int(np.clip(round(centre[0] - ink.shape[1] / 2), 0, columns - ink.shape[1]))
    part = canvas[top : top + ink.shape[0], left : left + ink.shape[1]]
    light, kept = ink[..., None] / 255.0, 1 - dark[..., None] / 255.0
    part[:] = np.round(part * kept * (1 - light) + 255 * light).astype(np.uint8)
