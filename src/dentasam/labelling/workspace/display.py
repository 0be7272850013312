"""What the page shows of an image: its pixels, the gray values to show black and white at first, and a thumbnail.

Window here means the range of values that is spread from black to white, as in DICOM.
"""

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

THUMBNAIL_SIDE = 240
# Film markers and metal are brighter than any tissue, and the air around the head is flat: without these limits a few
# pixels at either end would take most of the gray levels.
LOW_PERCENTILE, HIGH_PERCENTILE = 0.5, 99.8
# The percentiles are taken of about this many pixels: for 10 megapixels that takes milliseconds instead of a second.
SAMPLE_PIXELS = 500_000
# An image with a smaller share of its pixels between its darkest and brightest value is shown with its full range.
MIN_SHARE_BETWEEN = 0.02
# The least width of a window as a share of the image's range; a narrower one would show noise.
MIN_WINDOW_SHARE = 0.1


@dataclass(frozen=True)
class CasePixels:
    """An image's pixels (H, W) uint8 or uint16, and the values that are shown black (`low`) and white (`high`)."""

    pixels: np.ndarray
    low: int
    high: int

    @property
    def bits(self) -> int:
        """Bits per pixel, 8 or 16."""
        return 8 * self.pixels.dtype.itemsize

    def little_endian(self) -> bytes:
        """The pixels row by row; those of 16 bits as two bytes, the low one first."""
        return self.pixels.astype(self.pixels.dtype.newbyteorder("<"), copy=False).tobytes()


def read_pixels(path: Path) -> CasePixels:
    """The image as the page shows it, which is also what the model gets. Raises ImageError as `read_image` does.

    `read_image` has applied a DICOM file's own window already, so such an image is shown with its full range.
    """
    pixels = np.ascontiguousarray(spread(read_image(path)))
    if read_header(path).windowed:
        return CasePixels(pixels, 0, int(np.iinfo(pixels.dtype).max))
    return CasePixels(pixels, *starting_window(pixels))


def starting_window(pixels: np.ndarray) -> tuple[int, int]:
    """The values to show black and white, low < high, of pixels (H, W) uint8 or uint16.

    They are percentiles of the pixels without the darkest and the brightest value: collimated borders, film markers
    and saturated metal have these values, and often cover much of the image.
    """
    largest = int(np.iinfo(pixels.dtype).max)
    step = max(1, int((pixels.size / SAMPLE_PIXELS) ** 0.5))
    sample = pixels[::step, ::step]
    first, last = int(sample.min()), int(sample.max())
    between = sample[(sample > first) & (sample < last)]
    if between.size >= MIN_SHARE_BETWEEN * sample.size:
        low, high = np.percentile(between, (LOW_PERCENTILE, HIGH_PERCENTILE))
        narrow = MIN_WINDOW_SHARE * (last - first) - (high - low)
        first = max(first, int(np.floor(low - max(0.0, narrow / 2))))
        last = min(last, int(np.ceil(high + max(0.0, narrow / 2))))
    else:
        # A flat image, or one of few values: the full range, also of the pixels that are not in the sample.
        first, last = int(pixels.min()), int(pixels.max())
    return (first, last) if last > first else (0, largest)


def thumbnail_png(path: Path) -> bytes:
    """The image in its starting window as a PNG, longest side 240 pixels. Raises ImageError as `read_image` does."""
    case = read_pixels(path)
    height, width = case.pixels.shape
    scale = THUMBNAIL_SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(case.pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    shown = stretched(small, case.low, case.high, 255)
    file = io.BytesIO()
    Image.fromarray(shown).save(file, "PNG")
    return file.getvalue()
