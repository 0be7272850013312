"""`dentasam models export` and `--runtime onnx` as a user meets them."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from dentasam.cli.app import main
from dentasam.data.dataset import Dataset
from dentasam.data.phantom import write_phantoms
from dentasam.model.onnx import export as onnx_export
from dentasam.model.onnx.export import CARD, DECODER, ENCODER
from dentasam.model.sam_hq import SamHQ

Streams = pytest.CaptureFixture[str]


def leave(*arguments: object) -> int:
    with pytest.raises(SystemExit) as leaving:
        main([*map(str, arguments)])
    assert isinstance(leaving.value.code, int)
    return leaving.value.code


@pytest.fixture
def graphs_at_hand(exported_bundled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracing takes half a minute and is tested where the graphs are; here the same graphs are copied."""

    def copied(model: SamHQ, folder: Path) -> None:
        assert not any("lora_" in name for name, _ in model.named_parameters())
        for name in (ENCODER, DECODER):
            shutil.copy(exported_bundled / name, folder / name)

    monkeypatch.setattr(onnx_export, "export_graphs", copied)


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset.load(write_phantoms(tmp_path_factory.mktemp("phantoms"), 1, seed=5, width=256, height=128))


@pytest.mark.usefixtures("graphs_at_hand")
def test_export(tmp_path: Path, capfd: Streams) -> None:
    out = tmp_path / "exported"
    assert leave("models", "export", "dentasam-tiny", "--onnx", "--out", out) == 0
    printed = f"dentasam-tiny with panoramic-teeth, vit_tiny, opset 18, float32, with object windows → {out}\n"
    assert capfd.readouterr().out == printed
    assert sorted(path.name for path in out.iterdir()) == ["chart.json", "chart.safetensors", DECODER, CARD, ENCODER]
    card = json.loads((out / CARD).read_text())
    assert (card["base_model"], card["kind"], card["opset"]) == ("dentasam-tiny", "vit_tiny", 18)
    assert card["adapter"]["name"] == "panoramic-teeth"

    assert leave("models", "export", "dentasam-tiny", "--onnx", "--out", out) == 2
    assert "is in use" in capfd.readouterr().err


@pytest.mark.usefixtures("graphs_at_hand")
def test_export_in_int8(tmp_path: Path, capfd: Streams) -> None:
    out = tmp_path / "exported"
    assert leave("models", "export", "dentasam-tiny", "--adapter", "none", "--int8", "--out", out) == 0
    assert (
        capfd.readouterr().out == f"dentasam-tiny, vit_tiny, opset 18, int8 (dynamic), with object windows → {out}\n"
    )
    card = json.loads((out / CARD).read_text())
    assert (card["adapter"], card["int8"]) == (None, "dynamic")


def test_export_without_the_extra(tmp_path: Path, capfd: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert leave("models", "export", "dentasam-tiny", "--out", tmp_path / "exported") == 2
    expected = "dentasam: ONNX needs the package onnxscript; pip install 'dentasam[onnx]'\n"
    assert capfd.readouterr().err == expected
    assert not (tmp_path / "exported").exists()


@pytest.mark.usefixtures("onnx_cache")
def test_predict_gives_the_masks_of_torch(phantoms: Dataset, tmp_path: Path) -> None:
    (record,) = phantoms.images
    boxes = [cv2.boundingRect(mask.astype(np.uint8)) for mask in record.masks()]
    given: list[object] = [record.path, "--device", "cpu", "--precision", "fp32"]
    for x, y, width, height in sorted(boxes, key=lambda box: box[2] * box[3])[-2:]:
        given += ["--boxes", f"{x},{y},{x + width},{y + height}"]
    masks = {}
    for runtime in ("torch", "onnx"):
        out = tmp_path / runtime
        assert leave("predict", *given, "--runtime", runtime, "--no-windows", "--out", out) == 0
        masks[runtime] = next(iter(Dataset.load(out / "dataset.json").images)).masks()
    assert masks["torch"].any(axis=(1, 2)).all()
    assert np.mean(masks["torch"] != masks["onnx"]) < 1e-3


def test_evaluate_an_exported_folder(
    exported_bundled: Path, phantoms: Dataset, tmp_path: Path, capfd: Streams
) -> None:
    dice = {}
    of_torch = ["--model", "dentasam-tiny", "--adapter", "panoramic-teeth"]
    given = ["--no-windows", "--clicks", 2, "--device", "cpu"]
    for name, model in (("torch", of_torch), ("onnx", ["--model", exported_bundled])):
        out = tmp_path / name
        assert leave("evaluate", phantoms.path, *model, *given, "--out", out) == 0
        metrics = json.loads((out / "metrics.json").read_text())
        assert (metrics["model"], metrics["adapter"]) == ("dentasam-tiny", "panoramic-teeth")
        dice[name] = metrics["dice_at_clicks"]
    assert dice["onnx"] == pytest.approx(dice["torch"], abs=2e-3)
    capfd.readouterr()
    out = tmp_path / "refused"
    assert leave("evaluate", phantoms.path, "--model", exported_bundled, "--runtime", "torch", "--out", out) == 2
    assert capfd.readouterr().err.count("\n") == 1
