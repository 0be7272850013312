"""The plots of the reports, as matplotlib figures: inline SVG for a page, PNG for a document.

In SVG the colours become CSS variables of the page, so that a plot follows its light or dark theme.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from dentasam.evaluation.bootstrap import Intervals

# Okabe and Ito: https://jfly.uni-koeln.de/color/ ; with a marker each, so that lines differ by more than colour
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P")
INK, FAINT = "#1f2933", "#c9d1d9"
VARIABLES = {INK: "--ink", FAINT: "--line", **{colour: f"--series-{i}" for i, colour in enumerate(SERIES)}}


@dataclass(frozen=True)
class Curve:
    """A named line over numbers of clicks: mean (k,) and, where known, its interval.

    first: the number of clicks of the first value; 0 for masks that were proposed without a click.
    """

    name: str
    intervals: Intervals
    first: int = 1


def click_curves(curves: Sequence[Curve], measure: str = "Dice") -> Figure:
    """Mean of a measure after each click, with its 95 % interval as a band."""
    figure, axes = plot(f"mean {measure}")
    for i, curve in enumerate(curves):
        _draw(axes, curve, i)
    lowest = min(float(np.nanmin([curve.intervals.mean, curve.intervals.low])) for curve in curves)
    axes.set_ylim(max(0.0, np.floor(lowest * 20 - 0.2) / 20), 1.0)
    legend(axes)
    return figure


def difference_curves(curves: Sequence[Curve], base: str, measure: str = "Dice") -> Figure:
    """Mean difference to the base run after each click, with its paired 95 % interval as a band."""
    figure, axes = plot(f"{measure} minus base")
    axes.axhline(0, color=INK, linewidth=1)
    for i, curve in enumerate(curves, start=1):
        _draw(axes, curve, i)
    axes.set_title(f"difference to {base}", loc="left", color=INK, fontsize=10, parse_math=False)
    legend(axes)
    return figure


def share_curves(curves: Sequence[Curve], of: str) -> Figure:
    """Shares of the clicks given, by click, in per cent, with their 95 % intervals as bands."""
    figure, axes = plot(of)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for i, curve in enumerate(curves):
        _draw(axes, curve, i)
    axes.set_ylim(bottom=0)
    legend(axes)
    return figure


def distribution(first: NDArray[np.float64], last: NDArray[np.float64], clicks: int) -> Figure:
    """A histogram of the objects' Dice after the first and the last click; first, last: (P,)."""
    figure, axes = plot("objects", x="Dice")
    bins = np.linspace(0, 1, 41)
    axes.hist(first, bins=list(bins), histtype="step", color=SERIES[1], linewidth=1.8, label="after 1 click")
    axes.hist(last, bins=list(bins), color=SERIES[0], alpha=0.55, label=f"after {clicks} clicks")
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    legend(axes, place="upper left")
    return figure


def to_svg(figure: Figure) -> Markup:
    """An inline `<svg>` whose colours are the page's CSS variables; texts are escaped by matplotlib."""
    text = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "dentasam"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var({variable}, {colour})")
    return Markup(svg)


def to_png(figure: Figure) -> bytes:
    """A PNG on white, for documents."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=160, facecolor="white")
    return data.getvalue()


def plot(y: str, x: str = "clicks") -> tuple[Figure, Axes]:
    """An empty plot in the reports' style with the names of its axes."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.tick_params(colors=INK, length=0)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12))
    return figure, axes


def _draw(axes: Axes, curve: Curve, i: int) -> None:
    clicks = np.arange(len(curve.intervals.mean)) + curve.first
    colour = SERIES[i % len(SERIES)]
    axes.plot(
        clicks,
        curve.intervals.mean,
        color=colour,
        marker=MARKERS[i % len(MARKERS)],
        markersize=4.5,
        linewidth=1.8,
        clip_on=False,
        # matplotlib leaves labels with a leading underscore out of the legend
        label=curve.name if not curve.name.startswith("_") else f" {curve.name}",
    )
    if np.isfinite(curve.intervals.low).all():
        axes.fill_between(clicks, curve.intervals.low, curve.intervals.high, color=colour, alpha=0.18, linewidth=0)


def legend(axes: Axes, place: Literal["best", "upper left", "lower left"] = "best") -> None:
    """The names of the lines, as text."""
    shown = axes.legend(frameon=False, labelcolor=INK, loc=place)
    for text in shown.get_texts():
        text.set_parse_math(False)  # a `$` in a name is a character, not mathematics
