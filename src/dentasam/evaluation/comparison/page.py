"""A comparison as a page and as a picture of its click curves."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentasam.data.dataset import Dataset
from dentasam.evaluation.bootstrap import MIN_IMAGES
from dentasam.evaluation.charts.chart_metrics import MEASURE_NAMES, in_percent
from dentasam.evaluation.click_shares import KINDS
from dentasam.evaluation.comparison.chart_comparison import ChartComparison, chart_rows
from dentasam.evaluation.comparison.comparison import Comparison
from dentasam.evaluation.comparison.final_rows import final_rows, scaled
from dentasam.evaluation.comparison.panels import Panel, side_by_side
from dentasam.evaluation.figures import Curve, click_curves, difference_curves, share_curves, to_png, to_svg
from dentasam.evaluation.report import shown_clicks
from dentasam.html_page import render

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def comparison_page(
    curves: Comparison | None,
    charts: ChartComparison | None,
    data: Path | None = None,
    images: Path | None = None,
    follow_links: bool = False,
) -> str:
    """The text of comparison.html.

    data: the runs' dataset, None for where they noted it; where it is gone, the page says so and has no panels.
    images: the folder of its images, where that is not one of the usual places. follow_links: as for `Dataset.load`.
    """
    runs = curves or charts
    given = images, follow_links
    assert runs is not None
    return render(
        "dentasam.evaluation",
        "comparison.html.j2",
        names=runs.names,
        curves=None if curves is None else _curve_section(curves, data or Path(curves.base.dataset), *given),
        charts=charts,
        chart_rows=[] if charts is None else chart_rows(charts),
        chart_dice=None if charts is None else to_svg(click_curves(_chart_curves(charts))),
        tags=[] if charts is None else list(zip(charts.names[1:], charts.by_tag, strict=True)),
        measures=MEASURE_NAMES,
        in_percent=in_percent,
        scaled=scaled,
        min_images=MIN_IMAGES,
    )


def _curve_section(comparison: Comparison, data: Path, images: Path | None, follow_links: bool) -> dict[str, Any]:
    """What the page shows of click curves."""
    panels: list[Panel] = []
    missing = f"{data} is not there; give --dataset the path where it is now"
    if not _has_masks(comparison):
        missing = "a run has no predictions.json"
    elif data.is_file():
        panels = side_by_side(comparison, Dataset.load(data, images, follow_links=follow_links))
        missing = "the dataset has changed since the runs"
    return {
        "comparison": comparison,
        "base": comparison.base,
        "clicks": comparison.base.clicks,
        "steps": shown_clicks(comparison.base.clicks),
        "final_rows": final_rows(comparison),
        "curves": to_svg(click_curves(_curves(comparison))),
        "difference_curves": to_svg(_difference_figure(comparison)),
        "shares": [to_svg(figure) for figure in _share_figures(comparison)],
        "min_images": MIN_IMAGES,
        "panels": panels,
        "missing": missing,
    }


def comparison_picture(curves: Comparison | None, charts: ChartComparison | None = None) -> bytes:
    """The content of comparison.png: the click curves of all runs with their intervals, or those of their charts."""
    if curves is not None:
        return to_png(click_curves(_curves(curves)))
    assert charts is not None
    return to_png(click_curves(_chart_curves(charts)))


def _chart_curves(charts: ChartComparison) -> list[Curve]:
    """Dice of the found teeth, from no click on."""
    return [Curve(name, means.dice, first=0) for name, means in zip(charts.names, charts.means, strict=True)]


def _has_masks(comparison: Comparison) -> bool:
    return all(any(item.first is not None for item in result.objects) for result in comparison.results)


def _curves(comparison: Comparison) -> list[Curve]:
    return [Curve(name, means.dice) for name, means in zip(comparison.names, comparison.means, strict=True)]


def _difference_figure(comparison: Comparison) -> "Figure":
    curves = [Curve(difference.run, difference.overall.dice) for difference in comparison.differences]
    return difference_curves(curves, comparison.names[0])


def _share_figures(comparison: Comparison) -> "list[Figure]":
    """Unheeded, repaired and repeated clicks of the runs that measured them."""
    figures = []
    for kind in KINDS:
        curves = [
            Curve(name, means.shares[kind])
            for name, means in zip(comparison.names, comparison.means, strict=True)
            if kind in means.shares
        ]
        if curves:
            figures.append(share_curves(curves, f"{kind}, share of the clicks given"))
    return figures
