"""Affine maps of images, with every pixel of the result the mean of the area that it covers."""

from __future__ import annotations

import cv2
import numpy as np


def area_warp(
    image: np.ndarray, matrix: np.ndarray, height: int, width: int, border: int = cv2.BORDER_REPLICATE
) -> np.ndarray:
    """The pixels (height, width) of an image (H, W) of any type.

    matrix: (2, 3) from the result to the image, both measured from the upper left corner (pixel centres at half
    numbers). border: what lies beyond the image, at first its outermost pixels repeated.
    """
    finer = max(1, int(np.ceil(scale_of(matrix) - 1e-6)))
    linear = matrix[:, :2] / finer
    centred = np.column_stack([linear, linear @ (0.5, 0.5) + matrix[:, 2] - 0.5])
    size = width * finer, height * finer
    pixels: np.ndarray = cv2.warpAffine(
        image, centred, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=border
    )
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA) if finer > 1 else pixels


def scale_of(matrix: np.ndarray) -> float:
    """The side of the square that a unit square is mapped to, for maps that are nearly similarities."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def chained(first: np.ndarray, then: np.ndarray) -> np.ndarray:
    """The affine map (2, 3) that applies one and then another."""
    return np.column_stack([then[:, :2] @ first[:, :2], then[:, :2] @ first[:, 2] + then[:, 2]])


def inverse(matrix: np.ndarray) -> np.ndarray:
    """The inverse of an affine map (2, 3)."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def mapped(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points (..., 2) that are given as pixel centres at whole numbers, mapped to the same in the other image."""
    return (np.asarray(points, np.float64) + 0.5) @ matrix[:, :2].T + matrix[:, 2] - 0.5
