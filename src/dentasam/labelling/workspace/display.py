"""What the page shows of an image: its pixels as stored, the window to start with, and a small picture."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from dentasam.data.images.grayscale import stretched
from dentasam.data.images.read import read_header, read_image
from dentasam.model.core.gray_range import spread

THUMBNAIL = 240
# Film markers and metal are brighter than any tissue, and the air around the head is flat: a few pixels at either
# end would take most of the grey levels.
DARKEST, BRIGHTEST = 0.5, 99.8
# Quantiles of a 10-megapixel image from about this many of its pixels, in milliseconds in place of a second.
SAMPLED = 500_000
# With less than this share of the pixels between its ends, an image has too few values for a window.
LEAST_BETWEEN = 0.02
# A share of the range: a window that is narrower would show noise.
NARROWEST = 0.1


@dataclass(frozen=True)
class CasePixels:
    """pixels (H, W) uint8 or uint16, and the values shown black and white to start with."""

    pixels: np.ndarray
    low: int
    high: int

    @property
    def bits(self) -> int:
        """8 or 16."""
        return 8 * self.pixels.dtype.itemsize

    def little_endian(self) -> bytes:
        """The pixels row by row, two bytes each where they have 16 bits."""
        return self.pixels.astype(self.pixels.dtype.newbyteorder("<"), copy=False).tobytes()


def read_pixels(path: Path) -> CasePixels:
    """The image as the page gets it, which is what the model sees. Raises ImageError as `read_image` does.

    A DICOM file's own window is in its pixels already (`read_image` maps it onto their range), so they start with
    their whole range.
    """
    pixels = np.ascontiguousarray(spread(read_image(path)))
    if read_header(path).windowed:
        return CasePixels(pixels, 0, int(np.iinfo(pixels.dtype).max))
    return CasePixels(pixels, *starting_window(pixels))


def starting_window(pixels: np.ndarray) -> tuple[int, int]:
    """The values to show black and white, low < high: percentiles of all but the darkest and the brightest value.

    Collimated borders, film markers and saturated metal lie at the ends of the range, often on much of the image.
    """
    most = int(np.iinfo(pixels.dtype).max)
    step = max(1, int((pixels.size / SAMPLED) ** 0.5))
    sample = pixels[::step, ::step]
    first, last = int(sample.min()), int(sample.max())
    between = sample[(sample > first) & (sample < last)]
    if between.size >= LEAST_BETWEEN * sample.size:
        low, high = np.percentile(between, (DARKEST, BRIGHTEST))
        narrow = NARROWEST * (last - first) - (high - low)
        first = max(first, int(np.floor(low - max(0.0, narrow / 2))))
        last = min(last, int(np.ceil(high + max(0.0, narrow / 2))))
    else:
        # A flat image, or one of few values: all of them are shown, also those that the sample passed over.
        first, last = int(pixels.min()), int(pixels.max())
    return (first, last) if last > first else (0, most)


def thumbnail_png(path: Path) -> bytes:
    """The windowed image as a PNG, its longest side 240 pixels. Raises ImageError as `read_image` does."""
    case = read_pixels(path)
    height, width = case.pixels.shape
    scale = THUMBNAIL / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(case.pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    shown = stretched(small, case.low, case.high, 255)
    file = io.BytesIO()
    Image.fromarray(shown).save(file, "PNG")
    return file.getvalue()
