"""A run folder holds a click curve, charts, or both of one model; each is read back as it was."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest

from dentasam.errors import OutputError
from dentasam.evaluation import run_folder
from dentasam.evaluation.charts.chart_files import CHART_FILES, COUNTS
from dentasam.evaluation.charts.chart_metrics import chart_metrics
from dentasam.evaluation.curve_files import CURVE_FILES
from dentasam.evaluation.evaluate import evaluate
from dentasam.evaluation.evaluate_charts import evaluate_charts
from dentasam.evaluation.run_folder import NotMeasuredError, RunError, read_chart, read_run

CONTRACT = {"precision", "recall", "f1", "numbered", "errors_per_chart", "perfect_charts", "dice_at_0"}
MORE_KEYS = {
    "numbered_of_found", "dice_at_clicks", "ap", "implants", "confusions", "by_tag", "by_tooth_type", "by_dentition",
    "seconds", "confidence",
}  # fmt: skip


@pytest.fixture
def images(charts: Any) -> list[Any]:
    """One chart with every kind of error, and one without."""
    found = charts.teeth(["17", "18"], shift=1, confidence=0.6)
    found += [charts.found(number, charts.square(place)) for number, place in (("21", 3), ("22", 9), ("implant", 5))]
    true = [*charts.true(["18", "17", "16"]), ("implant", charts.square(5))]
    return [
        charts.image(true, found, ("-a", "=c"), crowds=[charts.square(9)]),
        charts.image(charts.true(["55"]), charts.teeth(["55"], shift=1)),
    ]


@pytest.fixture
def dataset(charts: Any, images: list[Any], tmp_path: Path) -> Any:
    return charts.build(tmp_path / "data", images, name="=image-{}.png")


class Both:
    """The segmenter of the charts, which also answers a first click: with the object that it lies in."""

    def __init__(self, charting: Any, dataset: Any, bench: Any) -> None:
        self.charting, self.clicked = charting, bench.segmenter(dataset, bench.grown(1))

    def curve(self) -> Any:
        self.clicked.name, self.clicked.adapter = self.charting.name, self.charting.adapter
        return self.clicked


def test_metrics_json_keeps_the_contract(charts: Any, images: list[Any], dataset: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = evaluate_charts(charts.segmenter(dataset, images, adapter="panoramic-teeth"), dataset, 2, out)
    assert {path.name for path in out.iterdir()} == {"metrics.json", "report.html", *CHART_FILES}
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["chart"] == chart_metrics(result)
    assert metrics["chart"].keys() >= CONTRACT | MORE_KEYS
    assert (metrics["model"], metrics["adapter"], metrics["dataset"]) == (
        "dentasam-tiny", "panoramic-teeth", str(dataset.path)
    )  # fmt: skip
    assert (metrics["images"], metrics["objects"], metrics["clicks"]) == (2, 4, 2)
    assert metrics["chart"]["head"] == "5" * 64
    assert "dice_at_clicks" not in metrics
    assert len(metrics["chart"]["dice_at_clicks"]) == 2


def test_the_tables_have_a_row_for_each_object_and_image(
    charts: Any, images: list[Any], dataset: Any, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    evaluate_charts(charts.segmenter(dataset, images), dataset, 1, out)
    rows = list(csv.DictReader((out / "chart_objects.csv").open()))
    assert [(row["kind"], row["true_number"], row["found_number"]) for row in rows] == [
        ("misnumbered", "18", "17"), ("misnumbered", "17", "18"), ("missed", "16", ""),
        ("right", "implant", "implant"), ("false", "", "21"), ("ignored", "", "22"), ("right", "55", "55"),
    ]  # fmt: skip
    assert [row["confidence"] for row in rows] == ["0.600000"] * 2 + [""] + ["0.900000"] * 4
    assert rows[0]["dice_0"] == "0.900000"
    assert float(rows[0]["iou"]) == pytest.approx(9 / 11, abs=1e-6)
    assert rows[0]["dice_1"] == "1.000000"
    assert rows[2]["dice_0"] == rows[4]["iou"] == ""
    assert {row["image"] for row in rows} == {"'=image-1.png", "'=image-2.png"}
    first, second = csv.DictReader((out / "chart_images.csv").open())
    assert [first[key] for key in ("teeth", *COUNTS)] == ["3", "3", "0", "1", "1", "2", "4", "1"]
    assert [first[key] for key in ("implants", "implants_found", "implants_right")] == ["1"] * 3
    assert (first["dentition"], second["dentition"]) == ("permanent", "deciduous")


def test_charts_read_back_as_they_were(charts: Any, images: list[Any], dataset: Any, tmp_path: Path) -> None:
    result = evaluate_charts(charts.segmenter(dataset, images), dataset, 2, tmp_path / "run")
    again = read_chart(tmp_path / "run")
    assert chart_metrics(again) == chart_metrics(result)
    assert [image.tags for image in again.images] == [("-a", "=c"), ()]
    for image, known in zip(again.images, result.images, strict=True):
        assert image.image == known.image
        for item, measured in zip(image.objects, known.objects, strict=True):
            assert (item.mask, item.kind, item.true_id) == (measured.mask, measured.kind, measured.true_id)
            assert item.dice == pytest.approx(measured.dice, abs=1e-6)
    with pytest.raises(NotMeasuredError, match="no click curve"):
        read_run(tmp_path / "run")


@pytest.mark.parametrize("first", ["curve", "charts"])
def test_both_kinds_of_one_model_share_a_folder(
    charts: Any, bench: Any, images: list[Any], dataset: Any, tmp_path: Path, first: str
) -> None:
    out = tmp_path / "run"
    both = Both(charts.segmenter(dataset, images), dataset, bench)

    def measure(kind: str, out: Path, overwrite: bool = False) -> None:
        if kind == "curve":
            evaluate(both.curve(), dataset, 2, out, overwrite=overwrite)
        else:
            evaluate_charts(both.charting, dataset, 1, out, overwrite=overwrite)

    order = ["curve", "charts"] if first == "curve" else ["charts", "curve"]
    for kind in order:
        measure(kind, out)
        measure(kind, tmp_path / kind)
    together = json.loads((out / "metrics.json").read_text())
    alone = {kind: json.loads((tmp_path / kind / "metrics.json").read_text()) for kind in order}
    assert {path.name for path in out.iterdir()} == {"metrics.json", "report.html", *CHART_FILES, *CURVE_FILES}
    assert together["dice_at_clicks"] == alone["curve"]["dice_at_clicks"]
    assert together.keys() == alone["curve"].keys() | {"chart"}
    assert together["chart"]["numbered"] == alone["charts"]["chart"]["numbered"]
    page = (out / "report.html").read_text()
    assert "Charts with most errors" in page
    assert "Worst cases after the last click" in page
    for kind in order:
        with pytest.raises(OutputError, match="--overwrite"):
            measure(kind, out)
    measure("charts", out, overwrite=True)
    assert json.loads((out / "metrics.json").read_text())["dice_at_clicks"] == together["dice_at_clicks"]


def test_another_model_does_not_share_a_folder(charts: Any, bench: Any, images: list[Any], tmp_path: Path) -> None:
    dataset = charts.build(tmp_path / "data", images)
    out = tmp_path / "run"
    evaluate(bench.segmenter(dataset, bench.perfect), dataset, 1, out)
    other = charts.segmenter(dataset, images, adapter="other")
    with pytest.raises(OutputError, match="holds a run of dentasam-tiny on"):
        evaluate_charts(other, dataset, 0, out)
    assert other.charted == 0
    evaluate_charts(other, dataset, 0, out, overwrite=True)
    assert {path.name for path in out.iterdir()} == {"metrics.json", "report.html", *CHART_FILES}


def test_an_overwrite_that_dies_keeps_the_other_kind(
    charts: Any, bench: Any, images: list[Any], dataset: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    both = Both(charts.segmenter(dataset, images), dataset, bench)
    evaluate(both.curve(), dataset, 1, out)
    evaluate_charts(both.charting, dataset, 0, out)
    write = run_folder.write_file

    def dies(path: Path, content: str | bytes) -> None:
        if path.name == "chart_images.csv":
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(run_folder, "write_file", dies)
    with pytest.raises(KeyboardInterrupt):
        evaluate_charts(both.charting, dataset, 1, out, overwrite=True)
    assert read_run(out).clicks == 1
    with pytest.raises(NotMeasuredError, match="no charts"):
        read_chart(out)


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("chart_images.csv", None, "chart_images.csv: cannot be read"),
        ("chart_objects.csv", "image_id\n1\n", "row 1 has no column found_number; run"),
        ("chart_predictions.json", "[]", "does not fit"),
        ("chart_predictions.json", "{", "chart_predictions.json: is not JSON"),
        ("metrics.json", '{"chart": 3}', "chart is 3, which no run writes"),
        ("metrics.json", None, "is missing"),
    ],
)
def test_damaged_folders_are_named_in_one_line(
    charts: Any, images: list[Any], dataset: Any, tmp_path: Path, file: str, content: str | None, says: str
) -> None:
    out = tmp_path / "run"
    evaluate_charts(charts.segmenter(dataset, images), dataset, 0, out)
    (out / file).unlink()
    if content is not None:
        (out / file).write_text(content)
    with pytest.raises(RunError, match=says) as caught:
        read_chart(out)
    assert str(out) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "column", "value"),
    [
        *[("chart_objects.csv", "dice_0", value) for value in ("7.5", "-3", "nan", "inf", "")],
        ("chart_objects.csv", "iou", "nan"),
        ("chart_objects.csv", "true_id", "9" * 5000),
        ("chart_objects.csv", "image", "x" * 140_000),
        ("chart_images.csv", "seconds", "-1"),
        ("chart_images.csv", "image_id", str(10**30)),
    ],
)
def test_a_value_that_no_run_writes_is_named_with_its_row_and_column(
    charts: Any, images: list[Any], dataset: Any, tmp_path: Path, file: str, column: str, value: str
) -> None:
    out = tmp_path / "run"
    evaluate_charts(charts.segmenter(dataset, images), dataset, 1, out)
    with (out / file).open(newline="") as table:
        rows = list(csv.reader(table))
    rows[1][rows[0].index(column)] = value
    with (out / file).open("w", newline="") as table:
        csv.writer(table).writerows(rows)
    with pytest.raises(RunError) as caught:
        read_chart(out)
    assert str(caught.value).startswith(f"{out / file}: row 2, column {column}: ")


@pytest.mark.parametrize("file", CHART_FILES)
def test_a_pipe_is_not_waited_for(charts: Any, images: list[Any], dataset: Any, tmp_path: Path, file: str) -> None:
    out = tmp_path / "run"
    evaluate_charts(charts.segmenter(dataset, images), dataset, 0, out)
    (out / file).unlink()
    os.mkfifo(out / file)
    with pytest.raises(RunError, match=rf"{file}: cannot be read \(it is not a regular file but a pipe"):
        read_chart(out)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("right", 40, "chart.right is 40, but 1 by"),
        ("precision", 0.9, "chart.precision is 0.9, but "),
        ("dice_at_clicks", [0.1], "chart.dice_at_clicks at click 1 is 0.1, but 1.0 by"),
        ("ap", {"class_free": {"ap": 7.5}, "by_number": {"ap": None}}, "chart.ap is "),
        ("ap", {}, "chart.ap is "),
        ("windows", "yes", "chart.windows is "),
    ],
)
def test_means_that_are_not_those_of_the_tables_are_noticed(
    charts: Any, images: list[Any], dataset: Any, tmp_path: Path, key: str, value: Any, says: str
) -> None:
    out = tmp_path / "run"
    evaluate_charts(charts.segmenter(dataset, images), dataset, 1, out)
    metrics = json.loads((out / "metrics.json").read_text())
    metrics["chart"][key] = value
    (out / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(RunError) as caught:
        read_chart(out)
    assert f"{out / 'metrics.json'}: {says}" in str(caught.value)
