"""Charts of several runs on the same images, with paired intervals of their differences.

The first run is the base. Differences are run minus base, under the same draws of images. Dice is over the teeth that
each run found, so two runs may have it over different teeth; finding and numbering are over all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dentasam.evaluation.bootstrap import RESAMPLES, Intervals
from dentasam.evaluation.charts.chart_intervals import dice_intervals, measure_intervals
from dentasam.evaluation.charts.chart_metrics import MEASURE_NAMES, in_percent
from dentasam.evaluation.charts.chart_result import ChartImage, ChartResult
from dentasam.evaluation.comparison.comparison import bootstrap_settings, interval_lists, intervals_each
from dentasam.evaluation.comparison.final_rows import FinalRow, scaled
from dentasam.evaluation.comparison.run_names import distinct_names, headings
from dentasam.evaluation.run_folder import RunError


@dataclass(frozen=True)
class ChartMeasures:
    """values: each of `chart_metrics.MEASURES`, one value each. dice: (k + 1,) without a click and after each."""

    images: int
    teeth: int
    values: dict[str, Intervals]
    dice: Intervals

    def to_dict(self) -> dict[str, Any]:
        """The content of comparison.json for these images."""
        return {
            "images": self.images,
            "teeth": self.teeth,
            **{name: intervals_each(value)[0] for name, value in self.values.items()},
            "dice_at_clicks": interval_lists(self.dice[1:]),
        }


@dataclass(frozen=True)
class ChartComparison:
    """names, results: of all runs, the base first. means: of each by itself. differences: of all but the base.

    by_tag: the differences on the images of each tag.
    """

    names: tuple[str, ...]
    results: tuple[ChartResult, ...]
    means: tuple[ChartMeasures, ...]
    differences: tuple[ChartMeasures, ...]
    by_tag: tuple[dict[str, ChartMeasures], ...]
    resamples: int
    seed: int

    @property
    def bootstrap(self) -> dict[str, Any]:
        """How the intervals were drawn."""
        return bootstrap_settings(self.resamples, self.seed)

    @property
    def base(self) -> ChartResult:
        """The run that the others are compared with."""
        return self.results[0]

    @property
    def headings(self) -> list[str]:
        """Headings of the columns of differences in a table."""
        return headings(self.names)

    def to_dict(self) -> dict[str, Any]:
        """`chart` in comparison.json."""
        return {
            "images": len(self.base.images),
            "teeth": self.base.teeth,
            "clicks": self.base.clicks,
            "runs": [
                {"name": name, "model": result.model, "adapter": result.adapter, **means.to_dict(), "ap": result.ap}
                for name, result, means in zip(self.names, self.results, self.means, strict=True)
            ],
            "differences": [
                {
                    "run": name,
                    "minus": self.names[0],
                    **difference.to_dict(),
                    "by_tag": {tag: part.to_dict() for tag, part in by_tag.items()},
                }
                for name, difference, by_tag in zip(self.names[1:], self.differences, self.by_tag, strict=True)
            ],
        }


def compare_charts(
    folders: Sequence[Path], results: Sequence[ChartResult], resamples: int = RESAMPLES, seed: int = 0
) -> ChartComparison:
    """Compare the charts of run folders, the base first.

    Raises RunError where they are fewer than two, or not of the same teeth and number of corrections.
    """
    if len(results) < 2:
        raise RunError("compare needs two run folders or more, the base first")
    base = results[0]
    runs = [base.images]
    for folder, result in zip(folders[1:], results[1:], strict=True):
        runs.append(_aligned(result, folder, base, folders[0]))

    def measures(images: Sequence[ChartImage], minus: Sequence[ChartImage] | None = None) -> ChartMeasures:
        return ChartMeasures(
            len(images),
            sum(len(image.teeth) for image in images),
            measure_intervals(images, minus, resamples, seed),
            dice_intervals(images, base.clicks, minus, resamples, seed),
        )

    tags = sorted({tag for image in base.images for tag in image.tags})
    rows = {tag: [place for place, image in enumerate(base.images) if tag in image.tags] for tag in tags}
    return ChartComparison(
        names=distinct_names(folders, results),
        results=tuple(results),
        means=tuple(measures(images) for images in runs),
        differences=tuple(measures(images, base.images) for images in runs[1:]),
        by_tag=tuple(
            {
                tag: measures([images[place] for place in own], [base.images[place] for place in own])
                for tag, own in rows.items()
            }
            for images in runs[1:]
        ),
        resamples=resamples,
        seed=seed,
    )


def chart_rows(comparison: ChartComparison) -> list[FinalRow]:
    """The rows of a table of charts. Shares are in per cent; AP has no interval."""
    rows = []
    for name, title in MEASURE_NAMES.items():
        factor, unit = (100, ", %") if in_percent(name) else (1, "")
        of_runs, of_differences = (
            [scaled(measures.values[name], factor) for measures in part]
            for part in (comparison.means, comparison.differences)
        )
        digits = 1 if unit else 2 if name == "errors_per_chart" else 4
        rows.append(FinalRow(title + unit, of_runs, of_differences, digits, name == "errors_per_chart"))
    for k in _shown_corrections(comparison.base.clicks):
        title = f"Dice after {k} correction{'s' * (k > 1)}"
        of_runs = [measures.dice[k : k + 1] for measures in comparison.means]
        rows.append(FinalRow(title, of_runs, [one.dice[k : k + 1] for one in comparison.differences], 4, False))
    for key, title in (("class_free", "COCO AP of teeth"), ("by_number", "COCO AP by number")):
        known = [result.ap[key]["ap"] for result in comparison.results]
        values = [float("nan") if value is None else value for value in known]
        of_runs = [_exact(value) for value in values]
        rows.append(FinalRow(title, of_runs, [_exact(value - values[0]) for value in values[1:]], 4, False))
    return rows


def _shown_corrections(clicks: int) -> list[int]:
    return sorted({k for k in (1, 2, 3, clicks) if 1 <= k <= clicks})


def _exact(value: float) -> Intervals:
    unknown = np.full(1, np.nan)
    return Intervals(np.array([value]), unknown, unknown)


def _aligned(result: ChartResult, folder: Path, base: ChartResult, base_folder: Path) -> tuple[ChartImage, ...]:
    """The run's images in the base's order."""
    if result.clicks != base.clicks:
        raise RunError(
            f"{folder}: its charts have {result.clicks} corrections, those of {base_folder} {base.clicks}; "
            "run `dentasam evaluate --chart` with the same --clicks"
        )
    found = {image.image_id: image for image in result.images}
    # The dataset's path may differ between machines; the teeth must be the same.
    if [_labels(found.get(image.image_id)) for image in base.images] != [_labels(image) for image in base.images] or (
        len(found) != len(base.images)
    ):
        raise RunError(
            f"{folder}: charted other teeth ({result.teeth} of {result.dataset}) than {base_folder} "
            f"({base.teeth} of {base.dataset}); run `dentasam evaluate --chart` on the same dataset"
        )
    return tuple(found[image.image_id] for image in base.images)


def _labels(image: ChartImage | None) -> set[tuple[int | None, str | None]]:
    """What is annotated in an image."""
    if image is None:
        return set()
    return {(item.true_id, item.true_number) for item in image.objects if item.true_id is not None}
