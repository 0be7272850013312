"""A window: a rectangle of the image, seen through a fixed token grid.

All windows have 24 x 16 tokens, so that objects of any size are encoded and decoded together. The grid lies in the
middle of the 64 x 64 grid of positions. Window coordinates are those of its 384 x 256 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from dentasam.model.core.frame import LOGIT_STRIDE, PATCH, Frame
from dentasam.model.windows.boxed_mask import BoxedMask as BoxedMask

ROWS, COLS = 24, 16
POSITIONS = 64
# The logit of what lies outside the map that is resampled: surely not the object.
OUTSIDE_LOGIT = -10.0


class LogitGrid(NamedTuple):
    """Where the logits of a map lie in the image: the outer corner of the first, and the size of one, in pixels."""

    x: float
    y: float
    width: float
    height: float

    @classmethod
    def of_frame(cls, frame: Frame) -> LogitGrid:
        """The grid of the whole image's logits."""
        height, width = frame.size
        return cls(0.0, 0.0, LOGIT_STRIDE * frame.width / width, LOGIT_STRIDE * frame.height / height)

    def index_of(self, points: np.ndarray) -> np.ndarray:
        """Image pixels to indices of logits, (..., 2) x, y; between logits where they lie there."""
        return (np.asarray(points, np.float64) + 0.5 - (self.x, self.y)) / (self.width, self.height) - 0.5

    def resampled(self, logits: np.ndarray, to: LogitGrid, shape: tuple[int, int]) -> np.ndarray:
        """Logits (h, w) of this grid at the logits of another, of `shape`; outside it is surely not the object.

        A finer map is interpolated at the other's logits, not averaged.
        """
        across, down = to.width / self.width, to.height / self.height
        matrix = np.array(
            [
                [across, 0, (to.x - self.x) / self.width + across / 2 - 0.5],
                [0, down, (to.y - self.y) / self.height + down / 2 - 0.5],
            ]
        )
        resampled: np.ndarray = cv2.warpAffine(
            np.ascontiguousarray(logits, np.float32),
            matrix,
            shape[::-1],
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=OUTSIDE_LOGIT,
        )
        return resampled


@dataclass(frozen=True)
class Window:
    """A rectangle of an image of `image_height` x `image_width` pixels.

    x, y: its upper left corner in the image, between pixels: a pixel's centre lies at half numbers.
    scale: image pixels per window pixel.
    """

    x: float
    y: float
    scale: float
    image_height: int
    image_width: int

    @property
    def frame(self) -> Frame:
        """The window as an image in the middle of the model's frame."""
        return Frame(PATCH * ROWS, PATCH * COLS, 1.0, ROWS, COLS, (POSITIONS - ROWS) // 2, (POSITIONS - COLS) // 2)

    @property
    def size(self) -> tuple[float, float]:
        """Height and width in image pixels."""
        return PATCH * ROWS * self.scale, PATCH * COLS * self.scale

    @property
    def grid(self) -> LogitGrid:
        """Where the window's logits lie."""
        return LogitGrid(self.x, self.y, LOGIT_STRIDE * self.scale, LOGIT_STRIDE * self.scale)

    @property
    def logits(self) -> tuple[int, int]:
        """Height and width of the mask logits."""
        return self.frame.logits

    def points_to_frame(self, points: np.ndarray) -> np.ndarray:
        """Image pixels to pixels of the model's frame, (..., 2) x, y; whole numbers are centres of pixels."""
        inside = (np.asarray(points, np.float64) + 0.5 - (self.x, self.y)) / self.scale - 0.5
        return self.frame.points_to_frame(inside)

    def holds(self, x: float, y: float) -> bool:
        """Whether the window shows the image pixel."""
        height, width = self.size
        return self.x <= x + 0.5 <= self.x + width and self.y <= y + 0.5 <= self.y + height

    def cut(self, image: np.ndarray, border: int = cv2.BORDER_REPLICATE) -> np.ndarray:
        """The window's pixels (384, 256) of an image (H, W) in any type, averaged over areas where it shrinks.

        border: what lies beyond the image's border, at first its outermost pixels repeated.
        """
        finer = max(1, int(np.ceil(self.scale)))
        step = self.scale / finer
        matrix = np.array([[step, 0, self.x + step / 2 - 0.5], [0, step, self.y + step / 2 - 0.5]])
        size = PATCH * COLS * finer, PATCH * ROWS * finer
        pixels: np.ndarray = cv2.warpAffine(
            image, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=border
        )
        if finer > 1:
            pixels = cv2.resize(pixels, (PATCH * COLS, PATCH * ROWS), interpolation=cv2.INTER_AREA)
        return pixels

    def mask(self, logits: np.ndarray) -> BoxedMask:
        """The mask at the image's resolution, tight around the object; nothing lies outside the window."""
        height, width = self.size
        x0, y0 = max(0, int(np.ceil(self.x - 0.5))), max(0, int(np.ceil(self.y - 0.5)))
        x1 = min(self.image_width, int(np.floor(self.x + width - 0.5)) + 1)
        y1 = min(self.image_height, int(np.floor(self.y + height - 0.5)) + 1)
        step = 1 / (LOGIT_STRIDE * self.scale)
        matrix = np.array([[step, 0, (x0 + 0.5 - self.x) * step - 0.5], [0, step, (y0 + 0.5 - self.y) * step - 0.5]])
        values = cv2.warpAffine(
            np.ascontiguousarray(logits, np.float32),
            matrix,
            (x1 - x0, y1 - y0),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return BoxedMask(x0, y0, values > 0).tight()

    def masks_to_logits(self, masks: np.ndarray) -> Tensor:
        """Masks (P, H, W) bool of the image as coverage 0..1 at logit resolution, (P, 96, 64) float32."""
        rows, cols = self.logits
        coverage = np.zeros((len(masks), rows, cols), np.float32)
        for target, mask in zip(coverage, masks, strict=True):
            cut = self.cut(mask.astype(np.float32), cv2.BORDER_CONSTANT)
            target[:] = cv2.resize(cut, (cols, rows), interpolation=cv2.INTER_AREA)
        return torch.from_numpy(coverage)


def grid_of(window: Window | None, frame: Frame) -> LogitGrid:
    """Where the logits of a window lie, or those of the whole image for None."""
    return LogitGrid.of_frame(frame) if window is None else window.grid
