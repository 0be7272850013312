"""Charts with known errors: every one is counted once, and the means follow from the counts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dentasam.errors import ChartError, DatasetError, OutputError
from dentasam.evaluation.charts.chart_metrics import MEASURES, chart_metrics
from dentasam.evaluation.charts.chart_result import ChartResult
from dentasam.evaluation.evaluate_charts import ChartProgress, evaluate_charts

UPPER = ["18", "17", "16", "15", "14", "13", "12", "11"]


def halves(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A square's left six columns and its right four."""
    columns = np.flatnonzero(mask.any(axis=0))
    left, right = mask.copy(), mask.copy()
    left[:, columns[6] :] = False
    right[:, : columns[6]] = False
    return left, right


@pytest.fixture
def measured(charts: Any, tmp_path: Path) -> Any:
    def measure(images: list[Any], clicks: int = 0, **given: Any) -> ChartResult:
        dataset = charts.build(tmp_path / "data", images)
        return evaluate_charts(charts.segmenter(dataset, images, **given), dataset, clicks=clicks)

    return measure


def test_a_perfect_chart_scores_one_everywhere(charts: Any, measured: Any) -> None:
    images = [
        charts.image([*charts.true(UPPER), ("implant", charts.square(30))],
                     [*charts.teeth(UPPER), charts.found("implant", charts.square(30))], ("blurred",)),
        charts.image(charts.true(["55", "16"]), charts.teeth(["55", "16"])),
    ]  # fmt: skip
    metrics = chart_metrics(measured(images, clicks=2))
    for name in ("precision", "recall", "f1", "numbered", "numbered_of_found", "perfect_charts", "dice_at_0"):
        assert metrics[name] == 1, name
    assert metrics["errors_per_chart"] == 0
    assert metrics["dice_at_clicks"] == [1, 1]
    assert metrics["ap"] == {key: {"ap": 1.0, "ap50": 1.0, "ap75": 1.0} for key in ("class_free", "by_number")}
    assert metrics["implants"] == {
        "true": 1, "found": 1, "right": 1, "precision": 1, "recall": 1, "f1": 1, "dice_at_0": 1
    }  # fmt: skip
    assert metrics["confusions"] == {}
    assert metrics["by_tag"].keys() == {"blurred"}
    assert {name: part["teeth"] for name, part in metrics["by_dentition"].items()} == {"permanent": 8, "mixed": 2}
    for group in ("by_tag", "by_dentition", "by_tooth_type"):
        for part in metrics[group].values():
            assert part["numbered"] == part["recall"] == part["dice_at_0"] == 1
    assert (metrics["teeth"], metrics["found"], metrics["right"]) == (10, 10, 10)


def test_known_errors_are_counted_once_each(charts: Any, measured: Any) -> None:
    left, right = halves(charts.square(4))
    found = charts.teeth(["17", "18", "16", "15"])  # the first two are exchanged, the 13 is missed
    found += [charts.found("14", left), charts.found("13", right)]  # the 14 is split in two
    found += [charts.found(number, charts.square(place)) for place, number in ((6, "12"), (7, "11"))]
    found += [charts.found("28", charts.square(20))]  # there is nothing
    result = measured([charts.image(charts.true(UPPER), found)])
    metrics = chart_metrics(result)
    assert [metrics[name] for name in ("missed", "false", "misnumbered", "right")] == [1, 2, 2, 5]
    assert metrics["precision"] == pytest.approx(7 / 9)
    assert metrics["recall"] == pytest.approx(7 / 8)
    assert metrics["f1"] == pytest.approx(14 / 17, abs=1e-6)
    assert metrics["numbered"] == pytest.approx(5 / 8)
    assert metrics["numbered_of_found"] == pytest.approx(5 / 7, abs=1e-6)
    assert metrics["errors_per_chart"] == 5
    assert metrics["perfect_charts"] == 0
    assert metrics["dice_at_0"] == pytest.approx((6 + 2 * 60 / 160) / 7, abs=1e-6)
    assert metrics["confusions"] == {"18": {"17": 1}, "17": {"18": 1}}
    kinds = {(item.true_number, item.found_number): item.kind for item in result.images[0].objects}
    assert kinds == {
        ("18", "17"): "misnumbered", ("17", "18"): "misnumbered", ("16", "16"): "right", ("15", "15"): "right",
        ("14", "14"): "right", (None, "13"): "false", ("13", None): "missed", ("12", "12"): "right",
        ("11", "11"): "right", (None, "28"): "false",
    }  # fmt: skip
    assert metrics["by_tooth_type"] == {
        "incisor": {"teeth": 2, "recall": 1, "numbered": 1, "numbered_of_found": 1, "dice_at_0": 1},
        "canine": {"teeth": 1, "recall": 0, "numbered": 0, "numbered_of_found": None, "dice_at_0": None},
        "premolar": {"teeth": 2, "recall": 1, "numbered": 1, "numbered_of_found": 1, "dice_at_0": 0.875},
        "molar": {
            "teeth": 3, "recall": 1, "numbered": pytest.approx(1 / 3, abs=1e-6),
            "numbered_of_found": pytest.approx(1 / 3, abs=1e-6), "dice_at_0": 1,
        },
    }  # fmt: skip


def test_implants_are_counted_apart_and_an_implant_numbered_as_a_tooth_is_a_false_tooth(
    charts: Any, measured: Any
) -> None:
    true = [*charts.true(["18", "17"]), *(("implant", charts.square(place)) for place in (5, 6, 7))]
    found = [
        charts.found("18", charts.square(0)),
        charts.found("implant", charts.square(1)),  # a tooth taken for an implant
        charts.found("implant", charts.square(5)),
        charts.found("14", charts.square(6)),  # an implant taken for a tooth
        charts.found("implant", charts.square(25)),  # there is nothing
    ]
    metrics = chart_metrics(measured([charts.image(true, found)]))
    assert [metrics[name] for name in ("teeth", "right", "missed", "false", "misnumbered")] == [2, 1, 0, 1, 1]
    assert metrics["errors_per_chart"] == 2
    assert metrics["confusions"] == {"17": {"implant": 1}}
    assert metrics["implants"] == {
        "true": 3, "found": 3, "right": 1, "precision": pytest.approx(1 / 3, abs=1e-6),
        "recall": pytest.approx(1 / 3, abs=1e-6), "f1": pytest.approx(1 / 3, abs=1e-6), "dice_at_0": 1,
    }  # fmt: skip


def test_supernumerary_teeth_are_teeth_without_a_number(charts: Any, measured: Any) -> None:
    true = [("18", charts.square(0)), *(("supernumerary", charts.square(place)) for place in (1, 2, 3))]
    found = [charts.found("supernumerary", charts.square(place)) for place in (0, 1, 20)]
    found.append(charts.found("17", charts.square(2)))
    result = measured([charts.image(true, found)])
    metrics = chart_metrics(result)
    assert [metrics[name] for name in ("teeth", "right", "missed", "false", "misnumbered")] == [4, 1, 1, 1, 2]
    assert metrics["confusions"] == {"18": {"supernumerary": 1}, "supernumerary": {"17": 1}}
    assert metrics["by_dentition"].keys() == {"permanent"}
    assert metrics["by_tooth_type"]["other"]["teeth"] == 3


def test_what_lies_in_a_crowd_or_another_object_is_neither_right_nor_false(charts: Any, measured: Any) -> None:
    true = [*charts.true(["18"]), ("bridge", charts.square(3)), ("filling", charts.square(0))]
    found = [charts.found(number, charts.square(place)) for number, place in (("18", 0), ("15", 3), ("14", 9))]
    found.append(charts.found("17", charts.square(0, 5)))  # again on the 18 with its filling
    metrics = chart_metrics(measured([charts.image(true, found, crowds=[charts.square(9)])]))
    assert [metrics[name] for name in ("found", "right", "false", "ignored")] == [2, 1, 1, 2]


def random_images(charts: Any, seed: int, count: int = 3) -> list[Any]:
    rng = np.random.default_rng(seed)
    names = [*UPPER, "implant"]
    images = []
    for _ in range(count):
        numbers = [*map(str, rng.permutation(UPPER)), "implant", "filling"]
        true = [(number, charts.square(place)) for place, number in enumerate(numbers)]
        found = [
            charts.found(
                str(rng.choice(names)),
                charts.square(int(place), int(rng.integers(-4, 5))),
                rng.random(),
            )
            for place in rng.choice(22, 12, replace=False)
        ]
        images.append(charts.image(true, found, tuple(rng.choice(["a", "b"], 1))))
    return images


@pytest.mark.parametrize("seed", range(5))
def test_errors_add_up_and_the_order_of_objects_does_not_matter(charts: Any, seed: int, tmp_path: Path) -> None:
    images = random_images(charts, seed)
    results = []
    for name, step in (("a", 1), ("b", -1)):
        turned = [charts.image(list(i.true)[::step], list(i.found)[::step], i.tags) for i in images]
        dataset = charts.build(tmp_path / name, turned)
        results.append(evaluate_charts(charts.segmenter(dataset, turned), dataset, clicks=0))
    metrics, other = (chart_metrics(result) for result in results)
    del metrics["seconds"], other["seconds"]
    assert metrics == other
    for image in results[0].images:
        assert image.right + image.misnumbered + image.missed == len(image.teeth)
        assert image.right + image.misnumbered + image.false == image.found
        assert image.errors == image.missed + image.misnumbered + image.false
        found = [item for item in image.objects if item.found_number]
        assert len(found) == 12  # none is lost, none counted twice
    confused = sum(count for row in metrics["confusions"].values() for count in row.values())
    assert confused == metrics["misnumbered"]
    assert metrics["errors_per_chart"] * 3 == pytest.approx(
        metrics["missed"] + metrics["false"] + metrics["misnumbered"], abs=1e-5
    )
    assert sum(bin["found"] for bin in metrics["confidence"]["bins"]) == metrics["found"]
    assert sum(part["teeth"] for part in metrics["by_tooth_type"].values()) == metrics["teeth"]
    for name in MEASURES:
        assert metrics[name] is None or metrics[name] >= 0


def test_corrections_go_on_from_the_proposal(charts: Any, tmp_path: Path) -> None:
    def change(before: np.ndarray, truth: np.ndarray, corrections: int) -> np.ndarray:
        return truth if corrections == 2 else before  # the first is not heeded

    images = [charts.image(charts.true(["18", "17"]), [*charts.teeth(["18"], shift=2), charts.teeth(["", "17"])[1]])]
    dataset = charts.build(tmp_path, images)
    segmenter = charts.segmenter(dataset, images, change)
    result = evaluate_charts(segmenter, dataset, clicks=3)
    assert segmenter.charted == 1
    assert segmenter.calls == [(1, 2), (1, 3)]  # the 17 is perfect, and the 18 after its second correction
    first, second = result.images[0].objects
    assert first.dice == pytest.approx((0.8, 0.8, 1, 1))
    assert second.dice == (1, 1, 1, 1)
    metrics = chart_metrics(result)
    assert metrics["dice_at_0"] == pytest.approx(0.9)
    assert metrics["dice_at_clicks"] == pytest.approx([0.9, 1, 1])
    assert metrics["clicks"] == 3
    assert metrics["seconds"].keys() == {"encode", "chart", "corrections"}


def test_nothing_found_has_no_precision_and_all_errors(charts: Any, measured: Any) -> None:
    metrics = chart_metrics(measured([charts.image(charts.true(["18", "17"]), [])], clicks=2))
    assert (metrics["precision"], metrics["recall"], metrics["f1"]) == (None, 0, 0)
    assert (metrics["errors_per_chart"], metrics["dice_at_0"], metrics["dice_at_clicks"]) == (2, None, [None, None])
    assert metrics["confidence"]["expected_calibration_error"] is None
    assert metrics["implants"]["precision"] is None


def test_confidence_is_measured_against_what_is_right(charts: Any, measured: Any) -> None:
    found = [
        charts.found("18", charts.square(0), 0.99), charts.found("17", charts.square(1), 0.95),
        charts.found("16", charts.square(3), 0.96),  # it is the 15
        charts.found("28", charts.square(30), 0.35),  # nothing there
    ]  # fmt: skip
    confidence = chart_metrics(measured([charts.image(charts.true(UPPER[:5]), found)]))["confidence"]
    third = pytest.approx(2 / 3, abs=1e-6)
    assert confidence["above"] == {
        "0.9": {"right": third, "share": 0.75}, "0.95": {"right": third, "share": 0.75},
        "0.99": {"right": 1, "share": 0.25},
    }  # fmt: skip
    assert confidence["bins"] == [
        {"confidence": pytest.approx(0.35), "right": 0, "found": 1},
        {"confidence": pytest.approx(0.966667, abs=1e-6), "right": third, "found": 3},
    ]
    expected = 0.25 * 0.35 + 0.75 * (0.966667 - 2 / 3)
    assert confidence["expected_calibration_error"] == pytest.approx(expected, abs=1e-5)


def test_progress_limits_and_errors(charts: Any, tmp_path: Path) -> None:
    images = [charts.image(charts.true(["18"]), charts.teeth([number])) for number in ("18", "17", "18")]
    dataset = charts.build(tmp_path / "data", images)
    steps: list[ChartProgress] = []
    result = evaluate_charts(charts.segmenter(dataset, images), dataset, 0, progress=steps.append, limit=2)
    assert [(s.images, s.total, s.numbered, s.errors_per_chart) for s in steps] == [(1, 2, 1, 0), (2, 2, 0.5, 0.5)]
    assert len(result.images) == 2
    with pytest.raises(ChartError, match="no chart head"):
        evaluate_charts(charts.segmenter(dataset, images, has_chart=False), dataset, out=tmp_path / "run")
    assert not list((tmp_path / "run").iterdir())
    evaluate_charts(charts.segmenter(dataset, images), dataset, 0, tmp_path / "run")
    with pytest.raises(OutputError, match="--overwrite"):
        evaluate_charts(charts.segmenter(dataset, images), dataset, 0, tmp_path / "run")
    unnamed = charts.build(tmp_path / "other", [charts.image([("tooth", charts.square(0))], [])])
    with pytest.raises(DatasetError, match="'tooth'"):
        evaluate_charts(charts.segmenter(unnamed, [images[0]]), unnamed)
