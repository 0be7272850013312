"""Charts of runs are compared on the same teeth, paired by image."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dentasam.evaluation.charts.chart_metrics import MEASURES, chart_metrics
from dentasam.evaluation.comparison.chart_comparison import compare_charts
from dentasam.evaluation.comparison.compare import COMPARISON_FILES, compare
from dentasam.evaluation.evaluate import evaluate
from dentasam.evaluation.evaluate_charts import evaluate_charts
from dentasam.evaluation.run_folder import RunError, read_chart

UPPER = ["18", "17", "16", "15"]
NAMES = [Path("base"), Path("adapted")]


@pytest.fixture
def folders(charts: Any, tmp_path: Path) -> list[Path]:
    """Eight images: the base misses a tooth of each, exchanges two in every second, and is a pixel off."""
    made = []
    for name, adapter in (("base", None), ("adapted", "good")):
        images = []
        for i in range(8):
            numbers = ["17", "18", "16", "15"] if i % 2 and name == "base" else UPPER
            found = charts.teeth(numbers, shift=0 if name == "adapted" else 1)[: 3 if name == "base" else 4]
            images.append(charts.image(charts.true(UPPER), found, ("blurred",) if i < 6 else ()))
        dataset = charts.build(tmp_path / "data", images)
        segmenter = charts.segmenter(dataset, images, adapter=adapter)
        evaluate_charts(segmenter, dataset, clicks=2, out=tmp_path / name)
        made.append(tmp_path / name)
    return made


def test_differences_are_those_of_the_metrics_and_their_intervals_are_paired(
    folders: list[Path], tmp_path: Path
) -> None:
    comparison = compare(folders, tmp_path / "out", resamples=400)
    assert comparison.curves is None
    assert comparison.charts is not None
    base, adapted = (chart_metrics(result) for result in comparison.charts.results)
    (difference,) = comparison.charts.differences
    for name in MEASURES:
        assert difference.values[name].mean[0] == pytest.approx(adapted[name] - base[name], abs=1e-6)
    assert (difference.values["recall"].low[0], difference.values["recall"].high[0]) == pytest.approx((0.25, 0.25))
    assert difference.values["errors_per_chart"].high[0] < 0
    assert difference.dice.mean == pytest.approx([0.1, 0, 0])
    content = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert content == comparison.to_dict()
    assert content["base"] == "dentasam-tiny"
    assert content["bootstrap"]["resamples"] == 400
    chart = content["chart"]
    assert [run["name"] for run in chart["runs"]] == ["dentasam-tiny", "good"]
    assert chart["runs"][1]["numbered"]["mean"] == 1
    assert chart["runs"][1]["ap"]["class_free"]["ap"] == 1
    assert chart["differences"][0]["by_tag"]["blurred"]["images"] == 6
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(COMPARISON_FILES)
    table = (tmp_path / "out" / "comparison.md").read_text()
    assert "| recall, % | 75.0 | 100.0 | +25.0 [+25.0, +25.0] |" in table
    page = (tmp_path / "out" / "comparison.html").read_text()
    assert "errors a chart" in page
    assert "blurred" in page
    assert "<script" not in page


def test_a_run_against_its_copy_is_zero(folders: list[Path]) -> None:
    result = read_chart(folders[0])
    comparison = compare_charts(NAMES, [result, result], resamples=100)
    (difference,) = comparison.differences
    for interval in (*difference.values.values(), difference.dice):
        for part in (interval.mean, interval.low, interval.high):
            np.testing.assert_array_equal(part, 0)
    assert comparison.names == ("dentasam-tiny (base)", "dentasam-tiny (adapted)")


def test_other_teeth_or_corrections_are_refused(charts: Any, folders: list[Path], tmp_path: Path) -> None:
    images = [charts.image(charts.true(UPPER[:3]), charts.teeth(UPPER[:3])) for _ in range(8)]
    dataset = charts.build(tmp_path / "other", images)
    evaluate_charts(charts.segmenter(dataset, images), dataset, 2, tmp_path / "fewer")
    evaluate_charts(charts.segmenter(dataset, images), dataset, 1, tmp_path / "clicks")
    for name, says in (("fewer", "other teeth"), ("clicks", "same --clicks")):
        with pytest.raises(RunError, match=says) as caught:
            compare([folders[0], tmp_path / name], tmp_path / "out")
        assert str(tmp_path / name) in str(caught.value)
    with pytest.raises(RunError, match="two run folders"):
        compare(folders[:1], tmp_path / "out")


def test_runs_of_different_kinds_have_nothing_in_common(
    charts: Any, bench: Any, folders: list[Path], tmp_path: Path
) -> None:
    images = [charts.image(charts.true(UPPER), charts.teeth(UPPER)) for _ in range(8)]
    dataset = charts.build(tmp_path / "data", images)
    curve = tmp_path / "curve"
    evaluate(bench.segmenter(dataset, bench.grown(1), adapter="good"), dataset, 2, curve)
    with pytest.raises(RunError, match="neither"):
        compare([folders[1], curve], tmp_path / "out")
    # With the charts in the same folder, the charts are what both have.
    evaluate_charts(charts.segmenter(dataset, images, adapter="good"), dataset, 2, curve)
    assert compare([folders[0], curve], tmp_path / "out", resamples=50).curves is None
    copy = Path(shutil.copytree(curve, tmp_path / "copy"))
    both = compare([curve, copy], tmp_path / "two", resamples=50)
    assert both.curves is not None
    assert both.charts is not None
    content = json.loads((tmp_path / "two" / "comparison.json").read_text())
    assert content["differences"][0]["dice_at_clicks"]["mean"] == [0, 0]
    assert content["chart"]["differences"][0]["numbered"]["mean"] == 0
