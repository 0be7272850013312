"""The plots of charts: which numbers are confused, and what a confidence is worth."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from dentasam.evaluation.charts.calibration import Calibration
from dentasam.evaluation.charts.chart_result import ChartResult
from dentasam.evaluation.charts.ground_truth import TOOTH_NAMES
from dentasam.evaluation.figures import FAINT, INK, MARKERS, SERIES, legend, plot
from dentasam.model.chart.dentition import ARCHES, IMPLANT

RIGHT, WRONG = SERIES[0], SERIES[1]
CELL_INCHES = 0.27


def confusion_figure(result: ChartResult) -> Figure:
    """A row for each true number and a column for each found one, in the order of the arches.

    Only numbers that occur are there. The diagonal is blue, the darker the more of the teeth are numbered right;
    every other cell says how many teeth it stands for. The last column counts missed teeth, the last row false ones.
    """
    pairs: dict[tuple[str, str], int] = {}
    for image in result.images:
        for item in image.objects:
            if item.is_tooth or item.counts_as_found_tooth:
                true = item.true_number if item.is_tooth else "false"
                pair = true or "", item.found_number or "missed"
                pairs[pair] = pairs.get(pair, 0) + 1
    order = [*TOOTH_NAMES, IMPLANT]
    present = {name for pair in pairs for name in pair}
    rows = [number for number in TOOTH_NAMES if any(true == number for true, _ in pairs)] + ["false"]
    columns = [number for number in order if number in present] + ["missed"]
    totals = {row: sum(count for (true, _), count in pairs.items() if true == row) for row in rows}

    side = CELL_INCHES * max(len(rows), len(columns), 8) + 1
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    for true, found in [(row, row) for row in rows if row in columns]:
        share = pairs.get((true, found), 0) / totals[true]
        _cell(axes, columns.index(found), rows.index(true), RIGHT, 0.12 + 0.68 * share)
    for (true, found), count in pairs.items():
        if true != found:
            x, y = columns.index(found), rows.index(true)
            _cell(axes, x, y, WRONG, min(0.25 + 0.1 * count, 0.75))
            axes.text(x, y, str(count), ha="center", va="center", fontsize=8, color=INK)
    _name_axes(axes, rows, columns)
    return figure


def _cell(axes: Axes, x: int, y: int, colour: str, strength: float) -> None:
    axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, alpha=strength, edgecolor="none"))


def _name_axes(axes: Axes, rows: list[str], columns: list[str]) -> None:
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=7.5)
    axes.set_yticks(range(len(rows)), rows, fontsize=7.5)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("found as", color=INK)
    axes.set_ylabel("true number", color=INK)
    axes.tick_params(colors=INK, length=0)
    for spine in axes.spines.values():
        spine.set_color(FAINT)
    for names, line in ((columns, axes.axvline), (rows, axes.axhline)):
        arches = [_arch(name) for name in names]
        for i in range(1, len(names)):
            between = arches[i] != arches[i - 1]
            line(i - 0.5, color=FAINT, linewidth=1.4 if between else 0.4, zorder=0)


def _arch(name: str) -> int:
    return next((place for place, arch in enumerate(ARCHES) if name in arch), len(ARCHES))


def confidence_curves(calibration: Calibration) -> Figure:
    """Precision and recall of numbered teeth, where only those at or above a confidence are taken."""
    figure, axes = plot("share", x="confidence at least")
    thresholds, precision, recall = calibration.curve()
    lines = (("precision: right among those taken", precision), ("recall: right among all true teeth", recall))
    for i, (name, values) in enumerate(lines):
        axes.step(thresholds, values, where="pre", color=SERIES[i], linewidth=1.8, label=name)
    lowest = float(min([*precision, *recall], default=0.0))
    axes.set_ylim(max(0.0, np.floor(lowest * 10) / 10 - 0.1), 1.005)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    _shares_on_x(axes)
    legend(axes, place="lower left")
    return figure


def reliability(calibration: Calibration) -> Figure:
    """The share that is right in each bin of confidence, with the number of teeth; on the diagonal they agree."""
    figure, axes = plot("of these, right", x="confidence")
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1.4)
    bins = calibration.bins()
    if bins:
        sure, right, counts = zip(*bins, strict=True)
        axes.plot(sure, right, color=SERIES[0], marker=MARKERS[0], markersize=5, linewidth=1.4, clip_on=False)
        for x, y, count in zip(sure, right, counts, strict=True):
            axes.annotate(
                str(count), (x, y), textcoords="offset points", xytext=(-7, 5), ha="right", fontsize=8, color=INK
            )
    axes.set_ylim(0, 1.04)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    _shares_on_x(axes)
    return figure


def _shares_on_x(axes: Axes) -> None:
    axes.set_xlim(0, 1)
    axes.tick_params(axis="x", pad=6)
    axes.set_xticks(np.linspace(0, 1, 6))
