"""The rows of a comparison below its click curves: clicks heeded, clicks needed, boundary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from dentasam.evaluation.bootstrap import Intervals
from dentasam.evaluation.click_shares import KINDS
from dentasam.evaluation.comparison.comparison import Comparison, Measures
from dentasam.evaluation.result import NOC_DICE_THRESHOLDS, NOC_THRESHOLDS

SURFACE_ROWS = (
    ("HD95, px", 2, True),
    ("surface Dice at 2 px", 4, False),
    ("HD95, ‰ of the width", 2, True),
    ("surface Dice at 1 ‰", 4, False),
    ("HD95, mm", 3, True),
)


@dataclass(frozen=True)
class FinalRow:
    """A measure of each run, and of each run minus the base; both of one value, NaN where it was not measured."""

    name: str
    means: list[Intervals]
    differences: list[Intervals]
    digits: int
    smaller_is_better: bool


def final_rows(comparison: Comparison) -> list[FinalRow]:
    """All rows but those that no run has measured. Shares are in per cent, their differences in percentage points."""
    rows = []
    for name, digits, smaller_is_better, value in _measures_shown():
        means = [value(measures) for measures in comparison.means]
        differences = [value(difference.overall) for difference in comparison.differences]
        if any(np.isfinite(one.mean[0]) for one in means):
            rows.append(FinalRow(name, means, differences, digits, smaller_is_better))
    return rows


def _measures_shown() -> Iterator[tuple[str, int, bool, Callable[[Measures], Intervals]]]:
    """Name, digits, whether smaller is better, and the one value of each row."""
    for kind in KINDS:
        yield f"corrections {kind}, %", 1, True, partial(_correction_share, kind=kind)
    for measure, of, thresholds in (("IoU", "", NOC_THRESHOLDS), ("Dice", "_dice", NOC_DICE_THRESHOLDS)):
        for i, threshold in enumerate(thresholds):
            yield f"clicks to {measure} 0.{threshold}", 2, True, partial(_one, part=f"noc{of}", i=i)
        for i, threshold in enumerate(thresholds):
            name = f"never {measure} 0.{threshold}, %"
            yield name, 1, True, partial(_one, part=f"failures{of}", i=i, factor=100)
    for i, (name, digits, smaller_is_better) in enumerate(SURFACE_ROWS):
        yield name, digits, smaller_is_better, partial(_one, part="surface", i=i)


def _one(measures: Measures, part: str, i: int, factor: float = 1) -> Intervals:
    whole: Intervals = getattr(measures, part)
    return scaled(whole[i : i + 1], factor)


def _correction_share(measures: Measures, kind: str) -> Intervals:
    unknown = np.full(1, np.nan)
    return scaled(measures.corrections.get(kind, Intervals(unknown, unknown, unknown)), 100)


def scaled(intervals: Intervals, factor: float) -> Intervals:
    """The intervals in another unit."""
    return Intervals(intervals.mean * factor, intervals.low * factor, intervals.high * factor)
