"""What the page of a run shows of its charts: tables, plots, and the charts with most errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from dentasam.data.images.pictures import data_uri
from dentasam.evaluation.bootstrap import Intervals
from dentasam.evaluation.charts.calibration import calibration
from dentasam.evaluation.charts.chart_figures import confidence_curves, confusion_figure, reliability
from dentasam.evaluation.charts.chart_intervals import dice_intervals, measure_intervals
from dentasam.evaluation.charts.chart_metrics import MEASURE_NAMES, chart_metrics, in_percent
from dentasam.evaluation.charts.chart_pictures import chart_picture
from dentasam.evaluation.figures import to_svg

if TYPE_CHECKING:
    from dentasam.data.dataset import Dataset
    from dentasam.evaluation.charts.chart_result import ChartImage, ChartResult

WORST_CHARTS = 8


@dataclass(frozen=True)
class ChartCase:
    """One image with its errors: how many, and the picture as a `data:` address."""

    image: ChartImage
    picture: str


@dataclass(frozen=True)
class ChartSection:
    """What the template shows.

    metrics: `chart` of metrics.json. rows: name and interval of each measure, and whether it is shown in per cent.
    dice: of the found teeth after 0, 1, … corrections.
    """

    metrics: dict[str, Any]
    rows: list[tuple[str, Intervals, bool]]
    dice: Intervals
    confusion: Markup
    confidence: Markup
    reliability: Markup
    worst: list[ChartCase]


def chart_section(result: ChartResult, dataset: Dataset) -> ChartSection:
    """The charts' part of a run's report; dataset: what they were measured on, for the pictures."""
    sure, found = calibration(result.images), measure_intervals(result.images)
    return ChartSection(
        metrics=chart_metrics(result),
        rows=[(name, found[key], in_percent(key)) for key, name in MEASURE_NAMES.items()],
        dice=dice_intervals(result.images, result.clicks),
        confusion=to_svg(confusion_figure(result)),
        confidence=to_svg(confidence_curves(sure)),
        reliability=to_svg(reliability(sure)),
        worst=worst_charts(result, dataset),
    )


def worst_charts(result: ChartResult, dataset: Dataset, count: int = WORST_CHARTS) -> list[ChartCase]:
    """The images with most errors, worst first; those without an error are left out."""
    worst = sorted(
        (image for image in result.images if image.errors), key=lambda image: (-image.errors, image.image_id)
    )
    records = {record.id: record for record in dataset.images}
    return [ChartCase(image, data_uri(chart_picture(records[image.image_id], image))) for image in worst[:count]]
