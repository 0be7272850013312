"""Confidence intervals of what charts are measured by: images are drawn, as for the click curve (`bootstrap.py`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dentasam.evaluation.bootstrap import RESAMPLES, Intervals, share_bootstrap
from dentasam.evaluation.charts.chart_metrics import MEASURES, dice_sum
from dentasam.evaluation.charts.chart_result import ChartImage

Measure = Callable[[ChartImage], tuple[float, float]]


def measure_intervals(
    images: Sequence[ChartImage],
    base: Sequence[ChartImage] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Intervals]:
    """Each of MEASURES with its interval, one value each; base: see `intervals`."""
    found = intervals(images, list(MEASURES.values()), base, resamples, seed)
    return {name: found[place : place + 1] for place, name in enumerate(MEASURES)}


def dice_intervals(
    images: Sequence[ChartImage],
    clicks: int,
    base: Sequence[ChartImage] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Intervals:
    """(clicks + 1,) mean Dice of the found teeth without a click and after each correction; base: see `intervals`."""
    return intervals(images, [_dice_at(k) for k in range(clicks + 1)], base, resamples, seed)


def intervals(
    images: Sequence[ChartImage],
    measures: Sequence[Measure],
    base: Sequence[ChartImage] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Intervals:
    """(k,) of k measures, NaN for one without anything to divide by.

    base: the same images charted by another run, whose values are subtracted, under the same draws.
    """
    hits, given = _sums(images, measures)
    minus = None if base is None else _sums(base, measures)
    names = [image.image_id for image in images]
    found = share_bootstrap(hits, given, names, minus, resamples, seed=seed)
    known = given.sum(axis=0) > 0
    if minus is not None:
        known &= minus[1].sum(axis=0) > 0
    return Intervals(*(np.where(known, part, np.nan) for part in (found.mean, found.low, found.high)))


def _sums(images: Sequence[ChartImage], measures: Sequence[Measure]) -> tuple[np.ndarray, np.ndarray]:
    """What is added up and over what, both (images, k)."""
    pairs = np.array([[measure(image) for measure in measures] for image in images], np.float64)
    return pairs[:, :, 0], pairs[:, :, 1]


def _dice_at(clicks: int) -> Measure:
    return lambda image: dice_sum(image, clicks)
