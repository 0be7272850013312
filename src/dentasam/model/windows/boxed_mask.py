"""A mask that is kept only in a box: a tooth covers 50,000 of a panoramic's 4 million pixels."""

from __future__ import annotations

from math import floor
from typing import NamedTuple

import cv2
import numpy as np


class BoxedMask(NamedTuple):
    """A mask that is empty outside a box: x and y of the box's upper left pixel, and bits (h, w) bool inside it."""

    x: int
    y: int
    bits: np.ndarray

    def on_image(self, height: int, width: int) -> np.ndarray:
        """The whole mask, (height, width) bool."""
        mask = np.zeros((height, width), bool)
        mask[self.y : self.y + self.bits.shape[0], self.x : self.x + self.bits.shape[1]] = self.bits
        return mask

    def tight(self) -> BoxedMask:
        """The same mask in the smallest box around its pixels."""
        left, top, width, height = cv2.boundingRect(self.bits.view(np.uint8))
        bits = np.ascontiguousarray(self.bits[top : top + height, left : left + width])
        return BoxedMask(self.x + left, self.y + top, bits) if width else BoxedMask(0, 0, np.zeros((0, 0), bool))

    def at(self, x: float, y: float) -> bool:
        """Whether the pixel that holds the point is in the mask."""
        column, row = clicked_pixel(x, y)
        column, row = column - self.x, row - self.y
        height, width = self.bits.shape
        return bool(0 <= row < height and 0 <= column < width and self.bits[row, column])

    def in_joint_box(self, other: BoxedMask) -> tuple[int, int, np.ndarray, np.ndarray]:
        """Both masks in the smallest box that holds their boxes: its x and y, and both contents (h, w) bool."""
        boxes = [mask for mask in (self, other) if mask.bits.size]
        if not boxes:
            return 0, 0, np.zeros((0, 0), bool), np.zeros((0, 0), bool)
        x0, y0 = min(mask.x for mask in boxes), min(mask.y for mask in boxes)
        x1 = max(mask.x + mask.bits.shape[1] for mask in boxes)
        y1 = max(mask.y + mask.bits.shape[0] for mask in boxes)
        moved = [mask._replace(x=mask.x - x0, y=mask.y - y0) if mask.bits.size else mask for mask in (self, other)]
        own, others = (mask.on_image(y1 - y0, x1 - x0) for mask in moved)
        return x0, y0, own, others


def clicked_pixel(x: float, y: float) -> tuple[int, int]:
    """Column and row of the pixel that holds a point: pixel i reaches from i - 0.5 up to i + 0.5, its centre is i."""
    return floor(x + 0.5), floor(y + 0.5)
