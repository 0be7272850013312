"""Runs compared on the same objects at equal clicks, with paired intervals of their differences.

The first run is the base, and every other one is compared with it. Differences are run minus base, for each object.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dentasam.evaluation.bootstrap import CONFIDENCE, RESAMPLES, Intervals, cluster_bootstrap, share_bootstrap
from dentasam.evaluation.click_shares import KINDS
from dentasam.evaluation.comparison.run_names import distinct_names, headings
from dentasam.evaluation.result import NOC_DICE_THRESHOLDS, NOC_THRESHOLDS, SURFACE_MEASURES, Result
from dentasam.evaluation.run_folder import RunError


@dataclass(frozen=True)
class Measures:
    """Mean and 95 % interval of everything measured, over one set of objects.

    dice, iou: (k,) after each click. noc: (3,) clicks to IoU 0.80, 0.85, 0.90. failures: (3,) share of the objects
    that never reach it. noc_dice, failures_dice: (4,) the same for Dice 0.80, 0.85, 0.90, 0.95.
    surface: (5,) SURFACE_MEASURES, NaN where they are not known.
    shares: (k,) of the clicks given that were unheeded, repaired or repeated; corrections: (1,) of all clicks but the
    first. Both lack what an earlier version did not measure, and the groups of a comparison have none.
    """

    objects: int
    images: int
    dice: Intervals
    iou: Intervals
    noc: Intervals
    failures: Intervals
    noc_dice: Intervals
    failures_dice: Intervals
    surface: Intervals
    shares: dict[str, Intervals] = field(default_factory=dict)
    corrections: dict[str, Intervals] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The content of comparison.json for these objects."""
        of_iou = [str(t) for t in NOC_THRESHOLDS]
        of_dice = [str(t) for t in NOC_DICE_THRESHOLDS]
        return {
            "objects": self.objects,
            "images": self.images,
            "dice_at_clicks": interval_lists(self.dice),
            "iou_at_clicks": interval_lists(self.iou),
            "noc": dict(zip(of_iou, intervals_each(self.noc), strict=True)),
            "failure_share": dict(zip(of_iou, intervals_each(self.failures), strict=True)),
            "noc_dice": dict(zip(of_dice, intervals_each(self.noc_dice), strict=True)),
            "failure_share_dice": dict(zip(of_dice, intervals_each(self.failures_dice), strict=True)),
            "surface": dict(zip(SURFACE_MEASURES, intervals_each(self.surface), strict=True)),
            **{f"{kind}_at_clicks": interval_lists(share) for kind, share in self.shares.items()},
            "corrections": {kind: intervals_each(share)[0] for kind, share in self.corrections.items()},
        }


@dataclass(frozen=True)
class Difference:
    """One run minus the base run, over all objects and over those of each tag and tooth type."""

    run: str
    overall: Measures
    by_tag: dict[str, Measures]
    by_tooth_type: dict[str, Measures]


@dataclass(frozen=True)
class Comparison:
    """Runs and what their comparison gave.

    names, folders, results: of all runs, the base first. means: of each run by itself. differences: of all runs but
    the base.
    """

    names: tuple[str, ...]
    folders: tuple[Path, ...]
    results: tuple[Result, ...]
    means: tuple[Measures, ...]
    differences: tuple[Difference, ...]
    resamples: int
    seed: int

    @property
    def base(self) -> Result:
        """The run that the others are compared with."""
        return self.results[0]

    @property
    def headings(self) -> list[str]:
        """Headings of the columns of differences in a table."""
        return headings(self.names)

    def to_dict(self) -> dict[str, Any]:
        """The content of comparison.json."""
        return {
            "dataset": self.base.dataset,
            "images": self.base.images,
            "objects": len(self.base.objects),
            "clicks": self.base.clicks,
            "base": self.names[0],
            "bootstrap": bootstrap_settings(self.resamples, self.seed),
            "runs": [
                {"name": name, "model": result.model, "adapter": result.adapter, **means.to_dict()}
                for name, result, means in zip(self.names, self.results, self.means, strict=True)
            ],
            "differences": [
                {
                    "run": difference.run,
                    "minus": self.names[0],
                    **difference.overall.to_dict(),
                    "by_tag": {tag: part.to_dict() for tag, part in difference.by_tag.items()},
                    "by_tooth_type": {kind: part.to_dict() for kind, part in difference.by_tooth_type.items()},
                }
                for difference in self.differences
            ],
        }


def compare_results(
    folders: Sequence[Path], results: Sequence[Result], resamples: int = RESAMPLES, seed: int = 0
) -> Comparison:
    """Compare the results of run folders, the base first.

    Raises RunError where there are fewer than two, or where they are not of the same objects and clicks.
    """
    if len(results) < 2:
        raise RunError("compare needs two run folders or more, the base first")
    aligned = [results[0]]
    for folder, result in zip(folders[1:], results[1:], strict=True):
        aligned.append(_aligned(result, folder, results[0], folders[0]))

    names = distinct_names(folders, aligned)
    measured = [_values(result) for result in aligned]
    clusters = [item.image_id for item in aligned[0].objects]

    def summary(values: NDArray[np.float64], rows: Sequence[int] | None = None) -> Measures:
        chosen = range(len(clusters)) if rows is None else rows
        images = [clusters[i] for i in chosen]
        intervals = cluster_bootstrap(values[list(chosen)], images, resamples, seed=seed)
        return _measures(intervals, len(images), len(set(images)), aligned[0].clicks)

    def with_shares(measures: Measures, result: Result, base: Result | None = None) -> Measures:
        shares: dict[str, Intervals] = {}
        corrections: dict[str, Intervals] = {}
        for kind in KINDS:
            own, other = result.click_events(kind), None if base is None else base.click_events(kind)
            if own is None or (base is not None and other is None):
                continue
            for found, a, b in (
                (shares, own, other),
                (corrections, own.corrections, None if other is None else other.corrections),
            ):
                minus = None if b is None else (b.hits, b.given)
                found[kind] = share_bootstrap(a.hits, a.given, clusters, minus, resamples, seed=seed)
        return replace(measures, shares=shares, corrections=corrections)

    differences = []
    for name, result, values in zip(names[1:], aligned[1:], measured[1:], strict=True):
        delta = values - measured[0]
        differences.append(
            Difference(
                run=name,
                overall=with_shares(summary(delta), result, aligned[0]),
                by_tag={tag: summary(delta, rows) for tag, rows in _rows_by_tag(aligned[0]).items()},
                by_tooth_type={kind: summary(delta, rows) for kind, rows in _rows_by_tooth_type(aligned[0]).items()},
            )
        )
    return Comparison(
        names=names,
        folders=tuple(folders),
        results=tuple(aligned),
        means=tuple(with_shares(summary(values), result) for values, result in zip(measured, aligned, strict=True)),
        differences=tuple(differences),
        resamples=resamples,
        seed=seed,
    )


def _aligned(result: Result, folder: Path, base: Result, base_folder: Path) -> Result:
    """The run with its objects in the base's order."""
    if result.clicks != base.clicks:
        raise RunError(
            f"{folder}: has {result.clicks} clicks, {base_folder} has {base.clicks}; "
            "run `dentasam evaluate` with the same --clicks"
        )
    # The dataset's path may differ between machines; the objects must be the same.
    found = {(item.image_id, item.object_id): item for item in result.objects}
    wanted = {(item.image_id, item.object_id): item for item in base.objects}
    same = found.keys() == wanted.keys() and all(
        (found[key].category, found[key].area) == (wanted[key].category, wanted[key].area) for key in wanted
    )
    if not same:
        raise RunError(
            f"{folder}: measured other objects ({len(found)} of {result.dataset}) than {base_folder} "
            f"({len(wanted)} of {base.dataset}); run `dentasam evaluate` on the same dataset"
        )
    return replace(result, objects=tuple(found[key] for key in wanted))


def _values(result: Result) -> NDArray[np.float64]:
    """(P, 2k + 19): Dice and IoU per click, NoC and failures by IoU and by Dice, surface measures."""
    parts = [result.dice(), result.iou(), *result.noc(), *result.noc_dice(), result.surface()]
    return np.concatenate(parts, axis=1)


def _measures(intervals: Intervals, objects: int, images: int, clicks: int) -> Measures:
    """The columns of `_values` by name."""
    of_iou, of_dice = len(NOC_THRESHOLDS), len(NOC_DICE_THRESHOLDS)
    ends = np.cumsum([clicks, clicks, of_iou, of_iou, of_dice, of_dice, len(SURFACE_MEASURES)]).tolist()
    dice, iou, noc, failures, noc_dice, failures_dice, surface = (
        intervals[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)
    )
    return Measures(objects, images, dice, iou, noc, failures, noc_dice, failures_dice, surface)


def _rows_by_tag(result: Result) -> dict[str, list[int]]:
    tags = sorted({tag for item in result.objects for tag in item.tags})
    return {tag: [i for i, item in enumerate(result.objects) if tag in item.tags] for tag in tags}


def _rows_by_tooth_type(result: Result) -> dict[str, list[int]]:
    kinds = [item.tooth_type for item in result.objects]
    return {kind: [i for i, k in enumerate(kinds) if k == kind] for kind in result.by_tooth_type()}


def bootstrap_settings(resamples: int, seed: int) -> dict[str, Any]:
    """How intervals were drawn, as comparison.json says it."""
    return {"unit": "image", "paired": True, "confidence": CONFIDENCE, "resamples": resamples, "seed": seed}


def intervals_each(intervals: Intervals) -> list[dict[str, float | None]]:
    """Mean, low and high of each value, as comparison.json has them; None for what is not known."""
    return [
        {"mean": _number(mean), "low": _number(low), "high": _number(high)}
        for mean, low, high in zip(intervals.mean, intervals.low, intervals.high, strict=True)
    ]


def interval_lists(intervals: Intervals) -> dict[str, list[float | None]]:
    """The means, lows and highs of all values, as comparison.json has them; None for what is not known."""
    return {
        "mean": [_number(value) for value in intervals.mean],
        "low": [_number(value) for value in intervals.low],
        "high": [_number(value) for value in intervals.high],
    }


def _number(value: float) -> float | None:
    # Too few images give no interval, and JSON has no NaN.
    return round(float(value), 6) if np.isfinite(value) else None
