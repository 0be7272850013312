"""How far the roots of annotated teeth stand out from the bone beside them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from dentasam.data.quality.objects.boxed_objects import BoxedObject

# Pixels of the measured scale: a band on either side of the outline from the first to the last distance.
_NEAR, _FAR = 1, 4
_MIN_BAND_PIXELS = 10
_SQUARE = np.ones((3, 3), np.uint8)


def root_contrast(gray: np.ndarray, scale: float, teeth: Sequence[BoxedObject], contrast: float) -> float | None:
    """The median over the teeth of (mean inside − mean outside) / contrast along the root's outline.

    gray: (h, w) float32, the image scaled by `scale`. contrast: its range of grays. The half of a tooth's box that is
    away from the other jaw stands for its root. Pixels of other teeth do not count as outside. None where no tooth
    can be measured.
    """
    placed = [(item, *_scaled(item, scale)) for item in teeth]
    taken = np.zeros(gray.shape, np.uint8)
    for _, x, y, bits in placed:
        part = taken[y : y + bits.shape[0], x : x + bits.shape[1]]
        part |= bits[: part.shape[0], : part.shape[1]]
    found = [
        value
        for item, x, y, bits in placed
        if (value := _of_tooth(gray, taken, x, y, bits, item.is_upper)) is not None
    ]
    return float(np.median(found)) / contrast if found else None


def _scaled(item: BoxedObject, scale: float) -> tuple[int, int, np.ndarray]:
    """x, y and bits (h, w) uint8 of a mask in the scaled image."""
    bits = item.mask.bits.view(np.uint8)
    if scale == 1:
        return item.mask.x, item.mask.y, bits
    size = max(1, round(bits.shape[1] * scale)), max(1, round(bits.shape[0] * scale))
    small = cv2.resize(bits, size, interpolation=cv2.INTER_NEAREST)
    return round(item.mask.x * scale), round(item.mask.y * scale), small


def _of_tooth(gray: np.ndarray, taken: np.ndarray, x: int, y: int, bits: np.ndarray, upper: bool) -> float | None:
    margin = _FAR + 1
    top, left = max(0, y - margin), max(0, x - margin)
    window = gray[top : y + bits.shape[0] + margin, left : x + bits.shape[1] + margin]
    framed = np.zeros(window.shape, np.uint8)
    part = framed[y - top : y - top + bits.shape[0], x - left : x - left + bits.shape[1]]
    part[:] = bits[: part.shape[0], : part.shape[1]]
    middle = y - top + bits.shape[0] // 2
    root = slice(0, middle) if upper else slice(middle, None)
    worn = [cv2.erode(framed, _SQUARE, iterations=step) for step in (_NEAR, _FAR)]
    grown = [cv2.dilate(framed, _SQUARE, iterations=step) for step in (_NEAR, _FAR)]
    inside, outside = cv2.subtract(worn[0], worn[1]), cv2.subtract(grown[1], grown[0])
    free = taken[top : top + window.shape[0], left : left + window.shape[1]] ^ 1
    inside, outside, values = inside[root], cv2.min(outside, free)[root], window[root]
    if min(np.count_nonzero(inside), np.count_nonzero(outside)) < _MIN_BAND_PIXELS:
        return None
    return float(cv2.mean(values, inside)[0] - cv2.mean(values, outside)[0])
