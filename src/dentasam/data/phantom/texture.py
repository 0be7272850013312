"""Random fields, cheap enough for several images a second: coarse noise, resized."""

import cv2
import numpy as np

from dentasam.data.phantom.scene import FloatImage


def smooth_noise(rng: np.random.Generator, height: int, width: int, cell: float) -> FloatImage:
    """A field (H, W) of unit deviation whose blobs are about `cell` pixels across."""
    rows = max(2, round(height / cell) + 1)
    columns = max(2, round(width / cell) + 1)
    seedling = rng.standard_normal((rows, columns), dtype=np.float32)
    field = cv2.resize(seedling, (width, height), interpolation=cv2.INTER_CUBIC)
    deviation = float(field.std())
    return (field / deviation if deviation > 1e-6 else field).astype(np.float32)


def band_noise(rng: np.random.Generator, height: int, width: int, cell: float) -> FloatImage:
    """Band-passed noise (H, W): structure near `cell` pixels only, as the mesh of trabecular bone has."""
    fine = smooth_noise(rng, height, width, cell)
    small = cv2.resize(fine, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(0.6, cell * 0.35))
    coarse = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return (fine - coarse).astype(np.float32)


def stripes(rng: np.random.Generator, height: int, width: int, cell: float, stretch: float) -> FloatImage:
    """A field (H, W) stretched along x: the smear that lies across a panoramic's middle."""
    rows = max(2, round(height / cell) + 1)
    columns = max(2, round(width / (cell * stretch)) + 1)
    seedling = rng.standard_normal((rows, columns), dtype=np.float32)
    return np.asarray(cv2.resize(seedling, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
