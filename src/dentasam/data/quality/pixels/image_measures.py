"""Measures of one radiograph: sharpness, noise, contrast at roots, overlap of teeth, metal, steps and ghosts.

All are taken at one scale, of at most `MEASURED_WIDTH` pixels across, because what a reader sees at the scale of a
tooth counts, and not what a device's pixels hold. Distances are shares of the image's width. Where teeth are
annotated, the box around them is the region of the jaws that is measured; else it is the middle of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dentasam.data.quality.objects.boxed_objects import BoxedObject, common_pixels, pairs_with_touching_boxes
from dentasam.data.quality.pixels.root_contrast import root_contrast

MEASURED_WIDTH = 1024
# Smaller images are thumbnails or made up: nothing can be said of their sharpness.
MIN_WIDTH, MIN_HEIGHT = 256, 128
# Standard deviations of the Gaussians between which bands of detail lie, as shares of the width.
FINE, MIDDLE, COARSE = 1.55e-3, 3.1e-3, 6.2e-3
# Of the range that the image uses: from here on a pixel is metal, or overexposed.
METAL_LEVEL = 0.94
# Annotated teeth from which the box around them stands for the jaws.
_MIN_TEETH = 4
# Columns, rows of the picture in which metal, steps and ghosts are looked for.
_SMALL = (256, 128)
_NOISE_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


@dataclass(frozen=True)
class ImageMeasures:
    """sharpness: detail of 2 to 4 ‰ of the width by detail of 4 to 8 ‰; 0.6 to 0.7 in sharp panoramics.

    noise: standard deviation by the range of grays in the jaws. root_contrast: how much brighter roots are than the
    bone beside them, by the same range, median of the teeth; None without numbered teeth. overlap: mean over the
    teeth of the share that a neighbour covers, None likewise. metal: share of the jaws that is overexposed. step:
    greatest jump of brightness from one column to another that all rows share, by the range. ghost: correlation of
    detail beside metal with the blurred mirror image of the metal above it. blank: constant border at the left, top,
    right and bottom, as shares of width and height.
    """

    sharpness: float
    noise: float
    root_contrast: float | None
    overlap: float | None
    metal: float
    step: float
    ghost: float
    blank: tuple[float, float, float, float]


def measure(pixels: np.ndarray, objects: Sequence[BoxedObject]) -> ImageMeasures | None:
    """The measures of an image (H, W) of 8 or 16 bits and its objects; None for one too small to measure."""
    height, width = pixels.shape
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        return None
    teeth = [item for item in objects if item.is_tooth]
    scale = min(1.0, MEASURED_WIDTH / width)
    gray = pixels if scale == 1 else cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    gray = gray.astype(np.float32) * np.float32(255 / np.iinfo(pixels.dtype).max)
    rows, columns = _jaws(teeth, scale, gray.shape)
    jaws = np.ascontiguousarray(gray[rows, columns])
    low, high = _percentiles(jaws, (0.02, 0.98))
    contrast = max(high - low, 1.0)
    noise = _noise(jaws)
    metal, step, ghost = _artifacts(gray, (rows, columns), contrast)
    return ImageMeasures(
        sharpness=_sharpness(jaws, noise, gray.shape[1]),
        noise=noise / contrast,
        root_contrast=root_contrast(gray, scale, teeth, contrast),
        overlap=_overlap(teeth),
        metal=metal,
        step=step,
        ghost=ghost,
        blank=_blank_border(gray),
    )


def _jaws(teeth: Sequence[BoxedObject], scale: float, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of the jaws in the scaled image."""
    height, width = shape
    if len(teeth) < _MIN_TEETH:
        return slice(height // 4, height * 17 // 20), slice(width * 3 // 20, width * 17 // 20)
    boxes = scale * np.array([item.box for item in teeth])
    left, top = np.floor(boxes[:, :2].min(axis=0)).astype(int)
    right, bottom = np.ceil((boxes[:, :2] + boxes[:, 2:]).max(axis=0)).astype(int)
    # Teeth at an edge leave a few pixels at least.
    top, left = (int(min(start, size - 8)) for start, size in ((top, height), (left, width)))
    return slice(top, max(int(bottom), top + 8)), slice(left, max(int(right), left + 8))


def _percentiles(gray: np.ndarray, shares: tuple[float, ...]) -> list[float]:
    """Levels (of 256) below which those shares of the pixels lie."""
    counts = cv2.calcHist([gray], [0], None, [256], [0, 256]).ravel()
    return np.searchsorted(np.cumsum(counts) / counts.sum(), shares).astype(float).tolist()


def _noise(jaws: np.ndarray) -> float:
    """Standard deviation of the noise, in levels.

    The median of a Laplacian's differences, which edges do not move (after Immerkær, Fast noise variance estimation,
    CVIU 1996, who takes the mean).
    """
    residue = np.abs(cv2.filter2D(jaws, -1, _NOISE_KERNEL))
    return float(np.median(residue)) / (6 * 0.6745)


def _sharpness(jaws: np.ndarray, noise: float, width: int) -> float:
    """The ratio of two neighbouring bands of detail, both without the share of white noise in them."""
    sigmas = [share * width for share in (FINE, MIDDLE, COARSE)]
    levels = [cv2.GaussianBlur(jaws, (0, 0), sigma) for sigma in sigmas]
    energies = []
    for sigma, next_sigma, level, next_level in zip(sigmas, sigmas[1:], levels, levels[1:], strict=False):
        passed = (1 / sigma**2 + 1 / next_sigma**2 - 4 / (sigma**2 + next_sigma**2)) / (4 * np.pi)
        energies.append(max(float(np.var(level - next_level)) - passed * noise**2, 1e-6))
    return float(np.sqrt(energies[0] / energies[1]))


def _overlap(teeth: Sequence[BoxedObject]) -> float | None:
    if not teeth:
        return None
    shares = [
        common_pixels(first.mask, second.mask) / min(first.area, second.area)
        for first, second in pairs_with_touching_boxes(teeth)
    ]
    return sum(shares) / len(teeth)


def _artifacts(gray: np.ndarray, jaws: tuple[slice, slice], contrast: float) -> tuple[float, float, float]:
    """metal, step and ghost of `ImageMeasures`, in a small picture."""
    if gray.min() == gray.max():
        return 0.0, 0.0, 0.0
    width, height = _SMALL
    small = cv2.resize(gray, _SMALL, interpolation=cv2.INTER_AREA)
    bright = (gray >= METAL_LEVEL * float(gray.max())).astype(np.float32)
    metal = cv2.resize(bright, _SMALL, interpolation=cv2.INTER_AREA) > 0.4
    inside = np.zeros_like(metal)
    rows, columns = jaws
    by_y, by_x = height / gray.shape[0], width / gray.shape[1]
    inside[int(rows.start * by_y) : int(rows.stop * by_y), int(columns.start * by_x) : int(columns.stop * by_x)] = (
        True
    )
    metal &= inside
    step = float(np.abs(np.median(small[:, 2:] - small[:, :-2], axis=0)).max()) / contrast
    return float(metal.sum()) / max(float(inside.sum()), 1.0), step, _ghost(small, metal)


def _ghost(small: np.ndarray, metal: np.ndarray) -> float:
    """A ghost lies higher than its metal, on the other side, and is blurred sideways."""
    if np.count_nonzero(metal) < 4:
        return 0.0
    mirrored = cv2.GaussianBlur(metal[:, ::-1].astype(np.float32), (0, 0), sigmaX=4, sigmaY=1.5)
    detail = small - cv2.GaussianBlur(small, (0, 0), 8)
    beside = cv2.dilate(metal.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
    found = [_correlation(np.roll(mirrored, -lift, axis=0)[beside], detail[beside]) for lift in range(6, 24, 2)]
    return max(0.0, *found)


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    first, second = first - first.mean(), second - second.mean()
    lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / lengths if lengths else 0.0


def _blank_border(gray: np.ndarray) -> tuple[float, float, float, float]:
    """How far the constant border reaches from each edge: left, top, right, bottom."""
    columns = gray.max(axis=0) - gray.min(axis=0) > 3
    rows = gray.max(axis=1) - gray.min(axis=1) > 3
    if not columns.any() or not rows.any():
        return 0.0, 0.0, 0.0, 0.0
    return (
        float(np.argmax(columns)) / columns.size,
        float(np.argmax(rows)) / rows.size,
        float(np.argmax(columns[::-1])) / columns.size,
        float(np.argmax(rows[::-1])) / rows.size,
    )
