"""Images that differ from the others of the datasets: less sharp, or upside down."""

from __future__ import annotations

import numpy as np

# Images from which the usual is known.
MIN_IMAGES = 20
# The sharpness (`ImageMeasures`) that a Gaussian of 1.6 ‰ of the width leaves of a sharp panoramic.
MIN_SHARPNESS = 0.53
# Shares of the usual sharpness: below the first, an image is worth a warning; below the second, the tag `blurred`.
WARNING_SHARE, TAG_SHARE = 0.85, 0.94
# By how much more an image has to resemble the mean of all when it is turned.
MIN_GAIN_OF_TURN = 0.1


def least_sharpness(all_sharpness: np.ndarray, share: float) -> float:
    """The sharpness below which an image has less than `share` of what is usual among all, (n,)."""
    if all_sharpness.size < MIN_IMAGES:
        return MIN_SHARPNESS
    return max(MIN_SHARPNESS, share * float(np.median(all_sharpness)))


def upside_down(details: np.ndarray) -> np.ndarray:
    """Which images resemble the mean of all more when top and bottom are exchanged, (n,) bool.

    details: (n, h, w) small pictures without low frequencies. Left and right are too much alike to tell. Fewer than
    `MIN_IMAGES` have no mean to speak of, and none is named.
    """
    if len(details) < MIN_IMAGES:
        return np.zeros(len(details), bool)
    mean = np.zeros(details.shape[1:])
    for detail in details:
        mean += _unit(detail)
    mean = _unit(mean)
    gains = [float((_unit(detail) * (mean[::-1] - mean)).sum()) for detail in details]
    return np.array(gains) > MIN_GAIN_OF_TURN


def _unit(picture: np.ndarray) -> np.ndarray:
    values = picture.astype(np.float64)
    values = values - values.mean()
    return np.asarray(values / max(float(np.linalg.norm(values)), 1e-9))
