"""Regions of the image to blank: rectangles, and a mask in a PNG file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dentasam.data.images.read import read_image
from dentasam.errors import ImageError

# x, y, width and height in pixels, the origin at the top left.
Box = tuple[int, int, int, int]
# Pixels around a text that is blanked: its soft edges.
TEXT_MARGIN = 4


@dataclass(frozen=True)
class Blanking:
    """What the user wants blanked in every image; mask: (H, W) bool, for images of its size."""

    boxes: tuple[Box, ...] = ()
    mask: np.ndarray | None = None

    @staticmethod
    def of(rectangles: Sequence[str], mask: Path | None) -> Blanking:
        """rectangles: `x,y,w,h` each. Raises ImageError for a malformed one, or a mask that cannot be read."""
        chosen = None
        if mask is not None:
            chosen = read_image(mask) > 0
            if not chosen.any():
                raise ImageError(f"{mask} marks nothing (all its pixels are 0); paint what is to be blanked in white")
        return Blanking(tuple(map(_box, rectangles)), chosen)

    def __bool__(self) -> bool:
        return bool(self.boxes) or self.mask is not None

    def region(self, path: Path, height: int, width: int) -> np.ndarray | None:
        """The pixels to blank (H, W) bool; None where nothing is to be.

        Raises ImageError where the mask has another size, or a rectangle lies outside of the image: the text that it
        is for may be elsewhere.
        """
        if not self:
            return None
        region = np.zeros((height, width), bool)
        if self.mask is not None:
            if self.mask.shape != region.shape:
                size = f"{self.mask.shape[1]}x{self.mask.shape[0]}"
                raise ImageError(
                    f"{path} has {width}x{height} pixels, the mask has {size}; give it a mask of its own"
                )
            region |= self.mask
        for x, y, w, h in self.boxes:
            if x >= width or y >= height:
                raise ImageError(
                    f"{path} has {width}x{height} pixels, --blank {x},{y},{w},{h} lies outside; correct it"
                )
            region[y : y + h, x : x + w] = True
        return region


def with_boxes(region: np.ndarray | None, boxes: Sequence[Box], height: int, width: int) -> np.ndarray | None:
    """The region and the boxes, each with a margin; None where both are empty."""
    if not boxes:
        return region
    region = np.zeros((height, width), bool) if region is None else region.copy()
    for x, y, w, h in boxes:
        top, left = max(0, y - TEXT_MARGIN), max(0, x - TEXT_MARGIN)
        region[top : y + h + TEXT_MARGIN, left : x + w + TEXT_MARGIN] = True
    return region


def _box(text: str) -> Box:
    found = re.fullmatch(r"\s*(\d{1,6})\s*,\s*(\d{1,6})\s*,\s*(\d{1,6})\s*,\s*(\d{1,6})\s*", text, re.ASCII)
    x, y, w, h = (int(part) for part in found.groups()) if found else (0, 0, 0, 0)
    if not w or not h:
        raise ImageError(f"--blank {text!r:.40} is not a rectangle; write x,y,width,height in pixels")
    return x, y, w, h
