"""Gray values: the luminance of colours, and values of any range spread over 8 or 16 bits."""

import numpy as np

from dentasam.data.images.strips import converted

# Of red, green and blue: ITU-R BT.601, which monitors and JPEG use.
LUMINANCE_WEIGHTS = np.array([0.299, 0.587, 0.114])


def luminance(planes: np.ndarray) -> np.ndarray:
    """The luminance (...) float of red, green and blue planes (3, ...)."""
    return np.asarray(np.tensordot(LUMINANCE_WEIGHTS, planes, axes=1))


def stretched(values: np.ndarray, low: float, high: float, full: int) -> np.ndarray:
    """Maps low…high onto 0…full and clips; uint8 for full 255, otherwise uint16. low = high gives 0."""
    dtype = np.uint8 if full == 255 else np.uint16
    if low == high:
        return np.zeros(values.shape, dtype)

    def stretch(part: np.ndarray) -> np.ndarray:
        shares = (part.astype(np.float64) - low) / (high - low)
        return np.rint(np.clip(shares, 0.0, 1.0) * full)

    return converted(values, dtype, stretch)
