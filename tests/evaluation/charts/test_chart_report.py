"""The page shows the measured numbers, the confusions and the worst charts, in one file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dentasam.data.images.pictures import PREDICTION, TRUTH
from dentasam.evaluation.charts.calibration import Calibration
from dentasam.evaluation.charts.chart_figures import confidence_curves, confusion_figure, reliability
from dentasam.evaluation.charts.chart_intervals import dice_intervals, measure_intervals
from dentasam.evaluation.charts.chart_metrics import chart_metrics
from dentasam.evaluation.charts.chart_pictures import chart_picture
from dentasam.evaluation.evaluate_charts import evaluate_charts
from dentasam.evaluation.figures import to_svg
from dentasam.evaluation.overlays import NEGATIVE

UPPER = ["18", "17", "16", "15"]
SCRIPT = "<script>alert(1)<script>"


@pytest.fixture
def images(charts: Any) -> list[Any]:
    exchanged = charts.image(charts.true(UPPER), charts.teeth(["17", "18", "16"]), (SCRIPT,))
    return [exchanged, charts.image(charts.true(UPPER), charts.teeth(UPPER)), *[exchanged] * 5]


def test_the_report_shows_the_measured_numbers_and_the_worst_charts(
    charts: Any, images: list[Any], tmp_path: Path
) -> None:
    dataset = charts.build(tmp_path / "data", images, name="image-{}.png")
    result = evaluate_charts(charts.segmenter(dataset, images), dataset, 2, tmp_path / "run")
    page = (tmp_path / "run" / "report.html").read_text()
    metrics = chart_metrics(result)
    for value in (metrics["f1"], metrics["numbered"], metrics["perfect_charts"]):
        assert f"{100 * value:.1f} %" in page
    assert f"{metrics['errors_per_chart']:.2f}" in page
    assert page.count("<svg") == 3
    assert page.count("data:image/jpeg;base64,") == 6  # the chart without an error is not among the worst
    assert "image-2.png" not in page
    assert "3 missed" not in page
    assert "1 missed, 0 false, 2 misnumbered of 4 teeth" in page
    assert "alert(1)" in page
    assert "<script" not in page


def test_intervals_enclose_the_means_and_need_six_images(charts: Any, images: list[Any], tmp_path: Path) -> None:
    dataset = charts.build(tmp_path / "data", images)
    result = evaluate_charts(charts.segmenter(dataset, images), dataset, 1)
    metrics = chart_metrics(result)
    found = measure_intervals(result.images, resamples=500)
    for name, interval in found.items():
        assert interval.mean[0] == pytest.approx(metrics[name], abs=1e-6)
        assert interval.low[0] <= interval.mean[0] <= interval.high[0]
    assert found["numbered"].low[0] < found["numbered"].high[0]
    assert dice_intervals(result.images, 1).mean.tolist() == [1, 1]
    few = measure_intervals(result.images[:5])
    assert np.isnan(few["f1"].low[0])


def test_the_confusion_picture_has_the_numbers_that_occur_in_the_order_of_the_arch(
    charts: Any, images: list[Any], tmp_path: Path
) -> None:
    dataset = charts.build(tmp_path / "data", images)
    result = evaluate_charts(charts.segmenter(dataset, images), dataset, 0)
    figure = confusion_figure(result)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == [*UPPER, "false"]
    assert [text.get_text() for text in axes.get_xticklabels()] == [*UPPER, "missed"]
    counts = {(text.get_position(), text.get_text()) for text in axes.texts}
    assert counts == {((1, 0), "6"), ((0, 1), "6"), ((4, 3), "6")}  # 18 as 17, 17 as 18, 15 missed
    assert "var(--series-0" in to_svg(figure)


def test_the_curves_by_confidence_are_those_of_counting() -> None:
    rng = np.random.default_rng(3)
    confidences = np.sort(np.round(rng.random(60), 1))
    right = rng.random(60) < confidences
    found = Calibration(confidences, right, teeth=70)
    thresholds, precision, recall = found.curve()
    for t, p, r in zip(thresholds, precision, recall, strict=True):
        above = confidences >= t
        assert p == pytest.approx(right[above].mean())
        assert r == pytest.approx(right[above].sum() / 70)
        assert found.above(t) == (pytest.approx(p), pytest.approx(above.mean()))
    assert len(thresholds) == len(set(confidences))
    for figure in (confidence_curves(found), reliability(found)):
        assert to_svg(figure).startswith("<svg")
    empty = Calibration(np.zeros(0), np.zeros(0, bool), teeth=3)
    assert empty.error is None
    assert to_svg(confidence_curves(empty)).startswith("<svg")
    assert to_svg(reliability(empty)).startswith("<svg")


def test_a_perfectly_calibrated_chart_has_no_error() -> None:
    confidences = np.repeat([0.25, 0.75], 40)
    right = np.concatenate([np.arange(40) < 10, np.arange(40) < 30])
    assert Calibration(confidences, right, 80).error == pytest.approx(0)
    assert Calibration(confidences, ~right, 80).error == pytest.approx(0.5)


def test_errors_are_marked_on_the_picture(charts: Any, tmp_path: Path) -> None:
    def colours(name: str, found: Any) -> list[bool]:
        """Whether the outlines of truth and found objects and the ground of an error's name are there."""
        image = charts.image(charts.true(["18"]), found)
        dataset = charts.build(tmp_path / name, [image])
        result = evaluate_charts(charts.segmenter(dataset, [image]), dataset, 0)
        drawn = chart_picture(dataset.images[0], result.images[0], 960)
        assert drawn.shape == (480, 960, 3)
        # A thin line is never quite of its colour.
        far = [np.abs(drawn.astype(int) - colour).max(axis=2) for colour in (TRUTH, PREDICTION, NEGATIVE)]
        return [bool((distance <= 25).any()) for distance in far]

    assert colours("right", charts.teeth(["18"], shift=2)) == [True, True, False]
    assert colours("missed", []) == [True, False, True]
    assert colours("misnumbered", charts.teeth(["17"], shift=2)) == [True, True, True]
    assert colours("false", [*charts.teeth(["18"]), charts.found("28", charts.square(10))])[2]
