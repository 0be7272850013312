"""Confidence intervals of a mean over objects, where the objects of one image are not independent.

A blurred image is blurred for all its teeth, so images are drawn with replacement, each with all its objects
(cluster bootstrap; Davison & Hinkley 1997, 3.8). The mean is over objects: sum over drawn images of their
objects' values, divided by the number of objects drawn. For a comparison of two runs the values are the
differences on the same objects, which makes it paired.

With few images a plain percentile interval is too narrow, so its tails are widened to those of Student's t
(Hesterberg 2015, "What teachers should know about the bootstrap", the expanded percentile interval). No
bootstrap interval reaches beyond the extremes of the n images' own means, and those two enclose the median of
their population with probability 1 - 2^(1-n) only: 0.94 at five images, 0.97 at six. Below six there is none.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
CONFIDENCE = 0.95
FEWEST_IMAGES = 6
DRAWS_AT_ONCE = 4_000_000  # numbers in one array of draws, 32 MB


@dataclass(frozen=True)
class Intervals:
    """mean, low, high: (k,) of k measures. low and high are NaN below FEWEST_IMAGES images."""

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def excludes_zero(self) -> NDArray[np.bool_]:
        return (self.low > 0) | (self.high < 0)

    def __getitem__(self, columns: slice) -> "Intervals":
        return Intervals(self.mean[columns], self.low[columns], self.high[columns])


def cluster_bootstrap(
    values: NDArray[np.float64],
    clusters: Sequence[Hashable],
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Intervals:
    """Mean over objects and its interval, for every column by itself (not simultaneous over columns).

    values: (P, k), a row per object; clusters: (P,) the image of each. The same seed gives the same draws, so
    runs over the same objects are compared under the same resamples.
    """
    names = {name: i for i, name in enumerate(dict.fromkeys(clusters))}
    index = np.array([names[name] for name in clusters])
    images = len(names)
    mean = values.mean(axis=0)
    if images < FEWEST_IMAGES:
        unknown = np.full_like(mean, np.nan)
        return Intervals(mean, unknown, unknown)

    totals = np.zeros((images, values.shape[1]))  # (images, k) sum of the objects' values
    np.add.at(totals, index, values)
    sizes = np.bincount(index, minlength=images).astype(np.float64)  # (images,) objects of each

    rng = np.random.default_rng(seed)
    means = np.empty((resamples, values.shape[1]))
    step = max(1, DRAWS_AT_ONCE // images)
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        drawn = rng.multinomial(images, np.full(images, 1 / images), size=count).astype(np.float64)
        means[start : start + count] = (drawn @ totals) / (drawn @ sizes)[:, None]

    low, high = np.quantile(means, _tails(images, confidence), axis=0)
    # equal resamples differ in the last bits; the mean of constant values must lie inside
    return Intervals(mean, np.minimum(low, mean), np.maximum(high, mean))


def _tails(images: int, confidence: float) -> tuple[float, float]:
    from scipy.stats import norm, t

    reach = np.sqrt(images / (images - 1)) * t.ppf((1 + confidence) / 2, images - 1)
    return float(norm.cdf(-reach)), float(norm.cdf(reach))
