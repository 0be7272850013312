"""Colour as gray: Rec. 601 luminance, which monitors and JPEG use."""

import numpy as np

WEIGHTS = np.array([0.299, 0.587, 0.114])


def luminance(planes: np.ndarray) -> np.ndarray:
    """Of red, green and blue planes (3, ...), as floats (...)."""
    return np.asarray(np.tensordot(WEIGHTS, planes, axes=1))
