"""The average precision is pycocotools' on the same dataset, written and read as COCO files."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from dentasam.evaluation.evaluate_charts import evaluate_charts


def coco_ap(truth: Path, results: list[dict[str, Any]], by_category: bool) -> list[float]:
    """AP, AP50, AP75 as `COCOeval.summarize` gives them."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(truth))
        run = COCOeval(coco, coco.loadRes(results), "segm")
        run.params.useCats = int(by_category)
        run.evaluate()
        run.accumulate()
        run.summarize()
    return [float(value) for value in run.stats[:3]]


def shifted_teeth(charts: Any, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    numbers = ["18", "17", "16", "15", "21", "22"]
    found = [
        charts.found(
            str(rng.choice(["18", "17", "16", "15"])) if rng.random() < 0.2 else number,
            charts.square(place, int(rng.integers(0, 4))),
            float(rng.random()),
        )
        for place, number in enumerate(numbers)
        if rng.random() > 0.15
    ]
    found.append(charts.found("22", charts.square(25), float(rng.random())))
    return charts.image(charts.true(numbers), found)


@pytest.mark.parametrize("by_number", [False, True])
def test_it_is_that_of_pycocotools_on_the_files(charts: Any, tmp_path: Path, by_number: bool) -> None:
    images = [shifted_teeth(charts, seed) for seed in range(8)]
    dataset = charts.build(tmp_path / "data", images)
    out = tmp_path / "run"
    result = evaluate_charts(charts.segmenter(dataset, images), dataset, clicks=0, out=out)
    results = json.loads((out / "chart_predictions.json").read_text())
    assert len(results) == sum(len(image.found) for image in images)
    expected = coco_ap(dataset.path, results, by_number)
    ap = result.ap["by_number" if by_number else "class_free"]
    assert [ap["ap"], ap["ap50"], ap["ap75"]] == pytest.approx(expected, abs=1e-6)
    assert 0.2 < expected[0] < expected[1] < 1  # neither trivial


def test_what_lies_in_a_crowd_costs_no_precision(charts: Any, tmp_path: Path) -> None:
    wrong = charts.found("28", charts.square(8), 0.99)
    for name, crowds, expected in (("a", [], 0.5), ("b", [charts.square(8)], 1.0)):
        image = charts.image(charts.true(["18"]), [*charts.teeth(["18"]), wrong], crowds=crowds)
        dataset = charts.build(tmp_path / name, [image])
        result = evaluate_charts(charts.segmenter(dataset, [image]), dataset, clicks=0)
        # One tooth, ranked second behind a false one: precision 1/2 at every recall.
        assert result.ap["class_free"]["ap"] == pytest.approx(expected)
        assert result.ap["by_number"] == {"ap": 1.0, "ap50": 1.0, "ap75": 1.0}  # no true 28: it has no AP


def test_without_teeth_there_is_none_and_without_findings_it_is_zero(charts: Any, tmp_path: Path) -> None:
    images = [charts.image(charts.true(["18"]), [])]
    dataset = charts.build(tmp_path / "a", images)
    result = evaluate_charts(charts.segmenter(dataset, images), dataset, clicks=0)
    assert result.ap["class_free"] == result.ap["by_number"] == {"ap": 0.0, "ap50": 0.0, "ap75": 0.0}
    images = [
        charts.image([("implant", charts.square(0))], charts.teeth(["18"])),
        charts.image(charts.true(["11"]), []),
    ]
    dataset = charts.build(tmp_path / "b", images)
    result = evaluate_charts(charts.segmenter(dataset, images), dataset, clicks=0, limit=1)
    assert result.ap["class_free"] == {"ap": None, "ap50": None, "ap75": None}
