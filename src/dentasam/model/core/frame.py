"""The model's pixel frame: longest side 1024, padded only to a multiple of the patch.

Segment Anything pads every image to a 1024 square. A panoramic is twice as wide as high, so half of that square
is padding. A `Frame` keeps the square's coordinates and its table of positions but holds only the tokens that the
image covers: a 2:1 panoramic has 32 x 64 of them. A crop of a larger image (used in training) is a frame whose first
token is at (`top`, `left`) of the 64 x 64 grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dentasam.model.core.gray_range import gray_values

# Increase this when `Frame.pixels`, or the decoding of images before it, changes the encoder's input: stored
# embeddings then become invalid.
PREPROCESSING = 2
LONGEST = 1024
PATCH = 16
LOGIT_STRIDE = 4
PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class Frame:
    """The place of an image of `height` x `width` pixels in the model's frame.

    scale: frame pixels per image pixel. rows, cols: the token grid. top, left: the first token's place in the 64 x 64
    grid.
    """

    height: int
    width: int
    scale: float
    rows: int
    cols: int
    top: int = 0
    left: int = 0

    @classmethod
    def of(cls, height: int, width: int) -> Frame:
        """The frame of a whole image. Raises `ValueError` for an empty image."""
        if height < 1 or width < 1:
            raise ValueError(f"an image needs at least one pixel, got {height} x {width}")
        scale = LONGEST / max(height, width)
        frame_height, frame_width = _scaled(height, scale), _scaled(width, scale)
        return cls(height, width, scale, -(-frame_height // PATCH), -(-frame_width // PATCH))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image in frame pixels, without padding."""
        return _scaled(self.height, self.scale), _scaled(self.width, self.scale)

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width in frame pixels, padded to whole tokens."""
        return self.rows * PATCH, self.cols * PATCH

    @property
    def logits(self) -> tuple[int, int]:
        """Height and width of the mask logits: four per token along each axis."""
        return self.rows * LOGIT_STRIDE, self.cols * LOGIT_STRIDE

    @property
    def origin(self) -> tuple[int, int]:
        """x and y of the frame's first pixel in the 1024 square."""
        return self.left * PATCH, self.top * PATCH

    def points_to_frame(self, points: np.ndarray) -> np.ndarray:
        """Image pixels to frame pixels, (..., 2) x, y; per axis, as the image itself was resized."""
        return np.asarray(points, dtype=np.float32) * self._axis_scale() + np.array(self.origin, np.float32)

    def points_to_image(self, points: np.ndarray) -> np.ndarray:
        """Frame pixels to image pixels, (..., 2) x, y."""
        return (np.asarray(points, dtype=np.float32) - np.array(self.origin, np.float32)) / self._axis_scale()

    def logit_points_to_frame(self, points: np.ndarray) -> np.ndarray:
        """Indices of logits, (..., 2) x, y, to frame pixels: the centre of each logit."""
        centre = (LOGIT_STRIDE - 1) / 2
        return (
            np.asarray(points, dtype=np.float32) * LOGIT_STRIDE
            + np.array(self.origin, np.float32)
            + np.float32(centre)
        )

    def pixels(self, image: np.ndarray) -> Tensor:
        """A grayscale image (height, width) uint8 or uint16 as (1, 3, 16 rows, 16 cols) float32.

        16-bit data are spread over 16 bits (see `gray_range`). The image is resized, with area averaging when it
        shrinks, normalised with SAM's mean and deviation, and padded with zeros. Raises ValueError for another shape.
        """
        if image.shape != (self.height, self.width):
            raise ValueError(f"the frame is for {self.height} x {self.width} pixels, the image has {image.shape}")
        return self.normalised(torch.from_numpy(np.ascontiguousarray(self.resized(gray_values(image)))))

    def resized(self, gray: np.ndarray) -> np.ndarray:
        """Gray values (height, width) float32 at the frame's size, with area averaging where they shrink."""
        height, width = self.size
        if gray.shape == (height, width):
            return gray
        shrinks = height < self.height
        resized: np.ndarray = cv2.resize(
            gray, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
        return resized

    def normalised(self, gray: Tensor) -> Tensor:
        """Gray values 0..255 at frame size (h, w) as the encoder's input (1, 3, 16 rows, 16 cols)."""
        mean = gray.new_tensor(PIXEL_MEAN)[:, None, None]
        std = gray.new_tensor(PIXEL_STD)[:, None, None]
        rgb = (gray[None] - mean) / std
        padded_height, padded_width = self.padded
        return F.pad(rgb, (0, padded_width - gray.shape[1], 0, padded_height - gray.shape[0]))[None]

    def masks_to_logits(self, masks: np.ndarray) -> Tensor:
        """Masks (P, height, width) bool as coverage 0..1 at logit resolution, (P, 4 rows, 4 cols) float32."""
        return self.coverage(masks, LOGIT_STRIDE)

    def coverage(self, masks: np.ndarray, stride: int) -> Tensor:
        """Masks (P, height, width) bool as coverage 0..1 of square cells, (P, 16/stride rows, 16/stride cols).

        stride: the side of a cell in frame pixels; 16 is a multiple of it. The result is float32.
        """
        height, width = self.size
        cells = PATCH // stride
        coverage = np.zeros((len(masks), cells * self.rows, cells * self.cols), dtype=np.float32)
        inner = -(-height // stride), -(-width // stride)
        shrinks = height / stride < self.height
        for target, mask in zip(coverage, masks, strict=True):
            target[: inner[0], : inner[1]] = cv2.resize(
                mask.astype(np.float32), inner[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            )
        return torch.from_numpy(coverage)

    def logits_to_image(self, logits: Tensor) -> Tensor:
        """Logits (P, 4 rows, 4 cols) at the image's resolution, (P, height, width), in SAM's two bilinear steps."""
        height, width = self.size
        upscaled = F.interpolate(logits[:, None], size=self.padded, mode="bilinear", align_corners=False)
        cropped = upscaled[..., :height, :width]
        if (height, width) != (self.height, self.width):
            cropped = F.interpolate(cropped, size=(self.height, self.width), mode="bilinear", align_corners=False)
        return cropped[:, 0]

    def _axis_scale(self) -> np.ndarray:
        height, width = self.size
        return np.array([width / self.width, height / self.height], np.float32)


def _scaled(length: int, scale: float) -> int:
    return max(1, int(length * scale + 0.5))
