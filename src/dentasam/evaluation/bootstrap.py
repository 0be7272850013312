"""Confidence intervals of a mean over objects, where the objects of one image are not independent.

A blurred image is blurred for all its teeth, so images are drawn with replacement, each with all its objects (cluster
bootstrap; Davison & Hinkley 1997, 3.8). The mean is over objects: the sum of the values of all drawn objects, divided
by their number. For a comparison of two runs the values are the differences on the same objects, which makes the
comparison paired.

With few images a plain percentile interval is too narrow, so its tails are widened to those of Student's t
(Hesterberg 2015, "What teachers should know about the bootstrap", the expanded percentile interval). No
bootstrap interval reaches beyond the extremes of the n images' own means, and those two enclose the median of
their population only with probability 1 - 2^(1-n): 0.94 for five images, 0.97 for six. With fewer than six images
there is no interval.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
CONFIDENCE = 0.95
MIN_IMAGES = 6
DRAWS_AT_ONCE = 4_000_000  # numbers in one array of draws, 32 MB


@dataclass(frozen=True)
class Intervals:
    """mean, low, high: (k,) of k measures. low and high are NaN below MIN_IMAGES images."""

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def excludes_zero(self) -> NDArray[np.bool_]:
        """(k,) whether the interval lies on one side of zero."""
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
    """Mean over objects and its interval, for each column by itself (not simultaneous over columns).

    values: (P, k), a row per object, NaN where an object has no such value: a column's mean is over those that have.
    clusters: (P,) the image of each. The same seed gives the same draws, so runs over the same objects are compared
    under the same resamples.
    """
    known = ~np.isnan(values)
    if known.all():
        found = share_bootstrap(values, np.ones_like(values), clusters, None, resamples, confidence, seed)
        mean = values.mean(axis=0)
        return Intervals(mean, np.minimum(found.low, mean), np.maximum(found.high, mean))
    parts = np.full((3, values.shape[1]), np.nan)
    for pattern in {known[:, column].tobytes() for column in range(values.shape[1])}:
        rows = np.frombuffer(pattern, bool)
        columns = [column for column in range(values.shape[1]) if known[:, column].tobytes() == pattern]
        if rows.any():
            images = [cluster for cluster, there in zip(clusters, rows, strict=True) if there]
            found = cluster_bootstrap(values[rows][:, columns], images, resamples, confidence, seed)
            parts[:, columns] = found.mean, found.low, found.high
    return Intervals(*parts)


def share_bootstrap(
    hits: NDArray[Any],
    given: NDArray[Any],
    clusters: Sequence[Hashable],
    base: tuple[NDArray[Any], NDArray[Any]] | None = None,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Intervals:
    """Sum of `hits` over sum of `given`, both (P, k), and its interval: a share of clicks, or a mean of values.

    base: hits and given of another run on the same objects, whose shares are subtracted, under the same draws. A sum
    of `given` that is 0 gives a share of 0.
    """
    names = {name: i for i, name in enumerate(dict.fromkeys(clusters))}
    index = np.array([names[name] for name in clusters])
    images = len(names)

    def totals(values: NDArray[Any]) -> NDArray[np.float64]:
        summed = np.zeros((images, values.shape[1]))  # (images, k) sum of the objects' values
        np.add.at(summed, index, values)
        return summed

    runs = [(totals(h), totals(g)) for h, g in [(hits, given), *([] if base is None else [base])]]

    def shares(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        """(draws, k) from how often each image was drawn, (draws, images)."""
        each = [np.divide(drawn @ h, np.maximum(drawn @ g, 1e-9)) for h, g in runs]
        return each[0] if base is None else each[0] - each[1]

    mean = shares(np.ones((1, images)))[0]
    if images < MIN_IMAGES:
        unknown = np.full_like(mean, np.nan)
        return Intervals(mean, unknown, unknown)

    rng = np.random.default_rng(seed)
    means = np.empty((resamples, hits.shape[1]))
    step = max(1, DRAWS_AT_ONCE // images)
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        drawn = rng.multinomial(images, np.full(images, 1 / images), size=count).astype(np.float64)
        means[start : start + count] = shares(drawn)

    low, high = np.quantile(means, _tails(images, confidence), axis=0)
    # Resamples of equal values differ in their last bits; the mean of constant values must still lie inside.
    return Intervals(mean, np.minimum(low, mean), np.maximum(high, mean))


def _tails(images: int, confidence: float) -> tuple[float, float]:
    """The quantiles at the ends of the widened interval."""
    # It takes a second or two to import, and most uses of this module need its types alone.
    from scipy.stats import norm, t

    reach = np.sqrt(images / (images - 1)) * t.ppf((1 + confidence) / 2, images - 1)
    return float(norm.cdf(-reach)), float(norm.cdf(reach))
