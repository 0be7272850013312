"""Finding text that is part of the picture, with RapidOCR (extra `ocr`); its models come with the package."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from dentasam.data.deidentify.regions import Box
from dentasam.errors import ExtraError

# Lower than the package's own limit of 0.5: a text that is hard to read may still be a name.
MIN_SCORE = 0.3
# The reader takes parts of teeth for text, in boxes as large as teeth. Text that a device prints is smaller: lines of
# a fiftieth to a twentieth of the image's height.
MAX_SHARE = 0.1
# Letters that mark the side of the patient.
SIDE_MARKS = frozenset({"L", "R"})

FindText = Callable[[np.ndarray], list[Box]]


def text_finder() -> FindText:
    """A function from an image (H, W) uint8 or uint16 to the boxes of the texts in it, without marks of the side.

    Raises ExtraError where the package or what runs its models is not installed.
    """
    try:
        package: Any = import_module("rapidocr")
        import_module("onnxruntime")
    except ImportError:
        raise ExtraError("finding text in images needs the package rapidocr; pip install 'dentasam[ocr]'") from None
    # It reports its models' files, and every image without text.
    logging.getLogger("RapidOCR").setLevel(logging.ERROR)
    reader = package.RapidOCR(params={"Global.log_level": "error", "Global.text_score": MIN_SCORE})

    def find(image: np.ndarray) -> list[Box]:
        gray = image if image.dtype == np.uint8 else (image >> 8).astype(np.uint8)
        found = reader(np.repeat(gray[..., None], 3, axis=2))
        if found.boxes is None:
            return []
        texts = zip(found.boxes, found.txts, strict=True)
        boxes = [_box(np.asarray(corners)) for corners, text in texts if text.strip() not in SIDE_MARKS]
        return [(x, y, w, h) for x, y, w, h in boxes if min(w, h) <= MAX_SHARE * min(image.shape)]

    return find


def _box(corners: np.ndarray) -> Box:
    """The upright rectangle around the four corners (4, 2) of a text."""
    left, top = np.floor(corners.min(0)).astype(int).clip(0)
    right, bottom = np.ceil(corners.max(0)).astype(int)
    return int(left), int(top), int(right - left), int(bottom - top)
