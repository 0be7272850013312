"""A comparison as a table in Markdown."""

from collections.abc import Sequence

import numpy as np

from dentasam.evaluation.bootstrap import MIN_IMAGES, Intervals
from dentasam.evaluation.comparison.chart_comparison import ChartComparison, chart_rows
from dentasam.evaluation.comparison.comparison import Comparison
from dentasam.evaluation.comparison.final_rows import FinalRow, final_rows
from dentasam.evaluation.comparison.markdown import as_text
from dentasam.evaluation.report import shown_clicks


def comparison_table(curves: Comparison | None, charts: ChartComparison | None = None) -> str:
    """The text of comparison.md.

    Of click curves: Dice after each click, final measures, then Dice by tag, each with its interval. Then the charts.
    """
    parts = [_curve_lines(curves)] if curves is not None else []
    if charts is not None:
        parts.append(_chart_lines(charts))
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _chart_lines(comparison: ChartComparison) -> list[str]:
    heading = ["charts", *map(as_text, comparison.names), *map(as_text, comparison.headings)]
    return [
        f"Charts of {len(comparison.base.images)} images with {comparison.base.teeth} teeth. Differences are paired "
        f"by image; 95 % intervals from {comparison.resamples} resamples of images, none below {MIN_IMAGES} images.",
        "",
        *_table(heading, _rows(chart_rows(comparison))),
    ]


def _curve_lines(comparison: Comparison) -> list[str]:
    base = comparison.base
    columns = [as_text(name) for name in comparison.names]
    differences = [as_text(heading) for heading in comparison.headings]
    lines = [
        f"{len(base.objects)} objects in {base.images} images. Differences are paired by object; "
        f"95 % intervals from {comparison.resamples} resamples of images, none below {MIN_IMAGES} images.",
        "",
        *_table(["Dice@", *columns, *differences], _dice_rows(comparison)),
        "",
        *_table(["", *columns, *differences], _rows(final_rows(comparison))),
    ]
    if comparison.differences[0].by_tag:
        steps = shown_clicks(base.clicks)
        for difference in comparison.differences:
            heading = [f"{as_text(difference.run)} − base, by tag", "objects", *(f"Dice@{k}" for k in steps)]
            rows = [
                [as_text(tag), str(part.objects), *(_signed(part.dice, k - 1) for k in steps)]
                for tag, part in difference.by_tag.items()
            ]
            lines += ["", *_table(heading, rows)]
    return lines


def _dice_rows(comparison: Comparison) -> list[list[str]]:
    return [
        [
            str(k + 1),
            *(f"{means.dice.mean[k]:.4f}" for means in comparison.means),
            *(_signed(difference.overall.dice, k) for difference in comparison.differences),
        ]
        for k in range(comparison.base.clicks)
    ]


def _rows(rows: Sequence[FinalRow]) -> list[list[str]]:
    return [
        [
            row.name,
            *(_plain(mean, row.digits) for mean in row.means),
            *(_signed(difference, 0, row.digits) for difference in row.differences),
        ]
        for row in rows
    ]


def _plain(intervals: Intervals, digits: int) -> str:
    mean = intervals.mean[0]
    return f"{mean:.{digits}f}" if np.isfinite(mean) else "–"


def _signed(intervals: Intervals, i: int, digits: int = 4) -> str:
    if not np.isfinite(intervals.mean[i]):
        return "–"
    mean, low, high = (f"{part[i]:+.{digits}f}" for part in (intervals.mean, intervals.low, intervals.high))
    return mean if not np.isfinite(intervals.low[i]) else f"{mean} [{low}, {high}]"


def _table(heading: list[str], rows: list[list[str]]) -> list[str]:
    lines = [
        "| " + " | ".join(heading) + " |",
        "| " + " | ".join(["---"] + ["---:"] * (len(heading) - 1)) + " |",
    ]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]
