"""A comparison as a table in Markdown."""

import numpy as np

from dentasam.evaluation.bootstrap import MIN_IMAGES, Intervals
from dentasam.evaluation.comparison.comparison import Comparison
from dentasam.evaluation.comparison.final_rows import final_rows
from dentasam.evaluation.report import shown_clicks


def comparison_table(comparison: Comparison) -> str:
    """The text of comparison.md: Dice after each click, final measures, then Dice by tag, each with its interval."""
    base = comparison.base
    columns = [_cell(name) for name in comparison.names]
    differences = [_cell(heading) for heading in comparison.headings]
    lines = [
        f"{len(base.objects)} objects in {base.images} images. Differences are paired by object; "
        f"95 % intervals from {comparison.resamples} resamples of images, none below {MIN_IMAGES} images.",
        "",
        *_table(["Dice@", *columns, *differences], _dice_rows(comparison)),
        "",
        *_table(["", *columns, *differences], _final_rows(comparison)),
    ]
    if comparison.differences[0].by_tag:
        steps = shown_clicks(base.clicks)
        for difference in comparison.differences:
            heading = [f"{_cell(difference.run)} − base, by tag", "objects", *(f"Dice@{k}" for k in steps)]
            rows = [
                [_cell(tag), str(part.objects), *(_signed(part.dice, k - 1) for k in steps)]
                for tag, part in difference.by_tag.items()
            ]
            lines += ["", *_table(heading, rows)]
    return "\n".join(lines) + "\n"


def _dice_rows(comparison: Comparison) -> list[list[str]]:
    return [
        [
            str(k + 1),
            *(f"{means.dice.mean[k]:.4f}" for means in comparison.means),
            *(_signed(difference.overall.dice, k) for difference in comparison.differences),
        ]
        for k in range(comparison.base.clicks)
    ]


def _final_rows(comparison: Comparison) -> list[list[str]]:
    return [
        [
            row.name,
            *(_plain(mean, row.digits) for mean in row.means),
            *(_signed(difference, 0, row.digits) for difference in row.differences),
        ]
        for row in final_rows(comparison)
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


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
