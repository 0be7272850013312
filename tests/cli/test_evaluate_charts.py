"""`dentasam evaluate --chart` and `dentasam compare` of charts as a user meets them."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from dentasam.cli.app import main
from dentasam.data.dataset import Dataset, ImageRecord, ObjectRecord
from dentasam.errors import ChartError
from dentasam.model.chart.chart import Chart
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.objects import ObjectAnswer


def tooth(place: int) -> BoxedMask:
    return BoxedMask(2 + 10 * place, 8, np.ones((16, 8), bool))


class TwoTeeth:
    """A segmenter without a model: an 18 and a 17 in every image, at the same places."""

    precision, images_at_once, chart_sha256 = "fp32", 1, "5" * 64

    def __init__(self, adapter: str | None) -> None:
        self.name, self.adapter = "two", adapter

    def merged(self) -> "TwoTeeth":
        return self

    def encode(self, image: np.ndarray) -> SimpleNamespace:
        return SimpleNamespace(shape=image.shape)

    def windows(self, image: np.ndarray, embedding: SimpleNamespace, **given: Any) -> SimpleNamespace:
        def decode(prompts: list[Any]) -> list[ObjectAnswer]:
            return [prompt.previous for prompt in prompts]

        return SimpleNamespace(decode=decode, uses_windows=given["windows"], uses_repair=given["repair"])

    def chart(self, view: SimpleNamespace, windows: bool = True) -> Chart:
        if self.adapter == "headless":
            raise ChartError("two: has no chart head; choose an adapter that has one")
        masks = [tooth(0), tooth(1)]
        boxes = np.array([[m.x, m.y, m.x + 8, m.y + 16] for m in masks], np.float32)
        answers = tuple(ObjectAnswer(mask, np.zeros((4, 6), np.float32), 0.9) for mask in masks)
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        return Chart(answers, boxes, centres, ("18", "17"), np.array([0.9, 0.8], np.float32), 32, 48)


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The adapters that the command asked for."""
    asked: list[str | None] = []

    def load(model: str, adapter: str | None, device: str | None, precision: str, chart: None) -> TwoTeeth:
        asked.append(adapter)
        return TwoTeeth(adapter)

    monkeypatch.setattr("dentasam.model.runtime.load_torch", load)
    return asked


def dataset(folder: Path, names: tuple[str, ...] = ("18", "16", "28")) -> Path:
    """Three images with teeth at the first places."""
    folder.mkdir(exist_ok=True)
    records = []
    for i in range(3):
        path = folder / f"{i}.png"
        cv2.imwrite(str(path), np.full((32, 48), 40 * i, np.uint8))
        objects = tuple(
            ObjectRecord.from_mask(10 * i + place, name, tooth(place).on_image(32, 48))
            for place, name in enumerate(names)
        )
        records.append(ImageRecord(i, path, path.name, 48, 32, (), objects))
    return Dataset(folder / "test.json", tuple(records)).write(folder / "test.json")


def leave(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return int(str(caught.value.code))


def test_writes_the_charts_and_prints_their_summary(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    test = dataset(tmp_path / "data")
    assert leave("evaluate", test, "--model", "m", "--chart", "--clicks", 1, "--limit", 2, "--out", out) == 0
    printed = capfd.readouterr()
    chart = json.loads((out / "metrics.json").read_text())["chart"]
    assert (chart["images"], chart["precision"], chart["errors_per_chart"]) == (2, 1, 2)
    assert chart["recall"] == pytest.approx(2 / 3, abs=1e-6)
    assert chart["numbered"] == pytest.approx(1 / 3, abs=1e-6)
    assert chart["dice_at_clicks"] == [1]
    assert "6 teeth in 2 images: 2 missed, 0 false, 2 misnumbered" in printed.out
    assert "33.3 %" in printed.out
    assert str(out / "report.html") in printed.out
    assert "2.00 errors a chart" in printed.err


def test_no_corrections_can_be_asked_for_and_a_folder_in_use_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], loaded: list[str | None]
) -> None:
    arguments = ("evaluate", dataset(tmp_path / "data"), "--model", "m", "--chart", "--clicks", 0)
    assert leave(*arguments, "--out", tmp_path / "run") == 0
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["chart"]["dice_at_clicks"] == []
    capfd.readouterr()
    assert leave(*arguments, "--out", tmp_path / "run") == 2
    shown = capfd.readouterr().err
    assert shown.count("\n") == 1
    assert "--overwrite" in shown
    assert len(loaded) == 1


def test_a_dataset_without_numbers_and_a_model_without_a_head_cost_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], loaded: list[str | None]
) -> None:
    unnamed = dataset(tmp_path / "data", ("tooth", "tooth", "implant"))
    assert leave("evaluate", unnamed, "--model", "m", "--chart", "--out", tmp_path / "run") == 2
    shown = capfd.readouterr().err
    assert shown.count("\n") == 1
    assert "'tooth', 'implant'" in shown
    assert "FDI number" in shown
    assert not loaded
    named = dataset(tmp_path / "named")
    arguments = ("evaluate", named, "--model", "m", "--chart", "--out", tmp_path / "run")
    assert leave(*arguments, "--adapter", "headless") == 2
    assert "no chart head" in capfd.readouterr().err.splitlines()[-1]


def test_charts_are_compared(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    test = dataset(tmp_path / "data")
    for name in ("base", "adapted"):
        arguments = ("evaluate", test, "--model", "m", "--adapter", name, "--chart", "--clicks", 1)
        assert leave(*arguments, "--out", tmp_path / name) == 0
    capfd.readouterr()
    assert leave("compare", tmp_path / "base", tmp_path / "adapted", "--out", tmp_path / "out") == 0
    printed = capfd.readouterr().out
    assert "Charts of 3 images with 9 teeth" in printed
    assert "found and numbered right, %" in printed
    assert printed.rstrip().endswith(f"report: {tmp_path / 'out' / 'comparison.html'}")
    content = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert content["chart"]["differences"][0]["f1"] == {"mean": 0, "low": None, "high": None}
