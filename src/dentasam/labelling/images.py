"""What the page shows of an image: its pixels as stored, the window to start with, and a small picture."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from dentasam.data.image import read_image, stretched

THUMBNAIL = 240
# Film markers and metal are brighter than any tissue, and the air around the head is flat: a few pixels at either
# end would take most of the grey levels.
DARKEST, BRIGHTEST = 0.5, 99.8
# Quantiles of a 10-megapixel image from about this many of its pixels, in milliseconds in place of a second.
SAMPLED = 500_000


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
    """The image as the page gets it. Raises ImageError as `read_image` does.

    A DICOM file's own window is in its pixels already (`read_image` maps it onto their range), so they start with
    their whole range, as those of 8 bits do.
    """
    pixels = np.ascontiguousarray(read_image(path))
    if pixels.dtype == np.uint16 and _has_stored_window(path):
        return CasePixels(pixels, 0, 65535)
    return CasePixels(pixels, *starting_window(pixels))


def starting_window(pixels: np.ndarray) -> tuple[int, int]:
    """The values to show black and white, low < high: 0…255 for uint8, robust percentiles for uint16."""
    if pixels.dtype == np.uint8:
        return 0, 255
    step = max(1, int((pixels.size / SAMPLED) ** 0.5))
    low, high = np.percentile(pixels[::step, ::step], (DARKEST, BRIGHTEST))
    first, last = int(np.floor(low)), int(np.ceil(high))
    if last > first:
        return first, last
    # A flat image, or one whose few bright pixels the percentiles passed over.
    first, last = int(pixels.min()), int(pixels.max())
    return (first, last) if last > first else (min(first, 65534), min(first, 65534) + 1)


def thumbnail_png(path: Path) -> bytes:
    """The windowed image as a PNG, its longest side 240 pixels. Raises ImageError as `read_image` does."""
    case = read_pixels(path)
    height, width = case.pixels.shape
    scale = THUMBNAIL / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(case.pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    shown = small if small.dtype == np.uint8 else stretched(small, case.low, case.high, 255)
    file = io.BytesIO()
    Image.fromarray(shown).save(file, "PNG")
    return file.getvalue()


def _has_stored_window(path: Path) -> bool:
    """Whether a DICOM header says how to show the image; False for files of other kinds."""
    with path.open("rb") as file:
        if file.read(132)[128:] != b"DICM" and path.suffix.lower() not in (".dcm", ".dicom"):
            return False
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        return bool(header.get("VOILUTSequence") or header.get("WindowWidth"))
