"""`dentasam evaluate` as a user meets it: its files, its summary, its one line where something is wrong."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from dentasam.cli.app import main
from dentasam.data.dataset import Dataset, ImageRecord, ObjectRecord
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.objects import ObjectAnswer


class WholeImage:
    """A segmenter without a model: everything is the object."""

    name, adapter, precision, images_at_once = "whole", None, "fp32", 1

    def merged(self) -> "WholeImage":
        return self

    def encode(self, image: np.ndarray) -> SimpleNamespace:
        return SimpleNamespace(shape=image.shape)

    def windows(
        self, image: np.ndarray, embedding: SimpleNamespace, *, windows: bool, repair: bool, objects: int
    ) -> SimpleNamespace:
        whole = BoxedMask(0, 0, np.ones(embedding.shape, bool))
        answer = ObjectAnswer(whole, np.zeros((4, 6), np.float32), 1.0)
        return SimpleNamespace(
            decode=lambda prompts: [answer] * len(prompts), uses_windows=windows, uses_repair=repair
        )


@pytest.fixture
def test_json(tmp_path: Path) -> Path:
    records = []
    for i in range(3):
        path = tmp_path / f"{i}.png"
        cv2.imwrite(str(path), np.full((32, 48), 40 * i, np.uint8))
        mask = np.zeros((32, 48), bool)
        mask[8:24, 12:36] = True  # a quarter of the image: Dice 0.4, IoU 0.25
        records.append(
            ImageRecord(i, path, path.name, 48, 32, ("blurred",), (ObjectRecord.from_mask(i, "11", mask),))
        )
    return Dataset(tmp_path / "test.json", tuple(records)).write(tmp_path / "test.json")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the command asked `load` for."""
    calls: list[dict[str, Any]] = []

    def load(model: str, adapter: str | None, device: str | None, precision: str, chart: None) -> WholeImage:
        calls.append({"model": model, "adapter": adapter, "device": device, "precision": precision})
        return WholeImage()

    monkeypatch.setattr("dentasam.model.runtime.load_torch", load)
    return calls


def leave(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return int(str(caught.value.code))


def test_writes_the_run_and_prints_its_summary(
    test_json: Path, asked: list[dict[str, Any]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    code = leave(
        "evaluate", test_json, "--model", "m", "--adapter", "a", "--device", "cpu", "--clicks", 2,
        "--limit", 2, "--out", out,
    )  # fmt: skip
    printed = capfd.readouterr()
    assert code == 0, printed.err
    assert asked == [{"model": "m", "adapter": "a", "device": "cpu", "precision": "fp32"}]
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["images"], metrics["objects"], metrics["dice_at_clicks"]) == (2, 2, [0.4, 0.4])
    assert (metrics["windows"], metrics["repair"]) == (True, True)
    assert metrics["answers"] == {"window": 0, "whole_image": 4}
    assert "0.4000" in printed.out
    assert "2 objects in 2 images" in printed.out
    assert str(out / "report.html") in printed.out
    assert "2/2" in printed.err
    assert "Dice@2 0.400" in printed.err


def test_a_folder_in_use_costs_one_line_and_no_model(
    test_json: Path, asked: list[dict[str, Any]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ("evaluate", test_json, "--clicks", 1, "--out", tmp_path / "run")
    assert leave(*arguments) == 0
    capfd.readouterr()
    assert leave(*arguments) == 2
    shown = capfd.readouterr().err
    assert shown.count("\n") == 1
    assert "--overwrite" in shown
    assert len(asked) == 1
    assert leave(*arguments, "--overwrite", "--no-windows", "--no-repair") == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (metrics["windows"], metrics["repair"]) == (False, False)


@pytest.mark.parametrize("clicks", ["0", "-1", "many"])
def test_wrong_clicks_are_wrong_use(
    test_json: Path, tmp_path: Path, clicks: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert leave("evaluate", test_json, "--clicks", clicks, "--out", tmp_path / "run") == 2
    shown = capfd.readouterr().err
    assert shown.count("\n") == 1
    assert "--clicks" in shown


def test_a_missing_dataset_is_named(
    asked: list[dict[str, Any]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert leave("evaluate", tmp_path / "no.json", "--out", tmp_path / "run") == 2
    shown = capfd.readouterr().err
    assert shown.count("\n") == 1
    assert "no.json" in shown
    assert not asked
