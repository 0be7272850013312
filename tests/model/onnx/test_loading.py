"""A segmenter on ONNX Runtime: the answers of torch, one export, and plain error messages."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import dentasam
from dentasam.errors import AdapterError, CheckpointError, ExtraError, PromptError
from dentasam.model.onnx import loading
from dentasam.model.onnx.export import CARD, DECODER, ENCODER, ExportCard, is_export
from dentasam.model.onnx.loading import load_onnx
from dentasam.model.runtime import load, with_adapter

HEIGHT, WIDTH = 100, 240


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)


@pytest.fixture
def exported(exported_bundled: Path, tmp_path: Path) -> Path:
    """A folder of its own, as `dentasam models export` leaves it."""
    folder = tmp_path / "exported"
    shutil.copytree(exported_bundled, folder)
    return folder


def test_masks_and_scores_are_those_of_torch(exported: Path, image: np.ndarray) -> None:
    theirs = dentasam.load("dentasam-tiny", "panoramic-teeth", "cpu", "fp32").merged()
    theirs.sparse_upscaling = False
    ours = load(exported)
    assert ours.model.runtime == "onnx"
    assert (ours.name, ours.adapter, ours.info.sha256) == (theirs.name, theirs.adapter, theirs.info.sha256)
    clicks = np.array([[[30.0, 40.0], [60.0, 80.0]], [[120.0, 30.0], [200.0, 50.0]]])
    labels, boxes = np.array([[1, 0], [1, 1]]), np.array([[10.0, 10.0, 70.0, 95.0], [np.nan] * 4])
    for segmenter in (theirs, ours):
        first = segmenter.predict(segmenter.encode(image), clicks[:, :1], labels[:, :1])
        second = segmenter.predict(segmenter.encode(image), clicks, labels, boxes, first.logits)
        if segmenter is theirs:
            expected = second
    np.testing.assert_allclose(second.logits, expected.logits, atol=1e-3)
    np.testing.assert_allclose(second.scores, expected.scores, atol=1e-4)
    assert np.mean(second.masks != expected.masks) < 1e-4


def test_a_model_is_exported_once(onnx_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def again(*_: object) -> None:
        raise AssertionError("exported a second time")

    monkeypatch.setattr(loading, "export_onnx", again)
    printed: list[str] = []
    ours = load("dentasam-tiny", "panoramic-teeth", runtime="onnx", announce=printed.append)
    assert (ours.name, ours.adapter, printed) == ("dentasam-tiny", "panoramic-teeth", [])
    assert with_adapter(ours, "panoramic-teeth").info == ours.info
    assert [folder.name[:30] for folder in onnx_cache.iterdir()] == ["dentasam-tiny-panoramic-teeth-"]
    with pytest.raises(AssertionError):  # the base alone is another model
        with_adapter(ours, None)
    assert len(list(onnx_cache.iterdir())) == 1  # and nothing half made stays behind


def test_an_exported_model_has_its_one_adapter(exported: Path) -> None:
    with pytest.raises(AdapterError, match="with the adapter panoramic-teeth merged in; leave --adapter out"):
        load_onnx(exported, "panoramic-teeth")
    ours = load_onnx(exported)
    assert ours.merged() is ours
    ours.use_adapter("panoramic-teeth")
    assert with_adapter(ours, "panoramic-teeth") is ours
    other = "export the model with another one"
    with pytest.raises(AdapterError, match=other):
        ours.use_adapter(None)
    with pytest.raises(AdapterError, match=other):
        ours.load_adapter("mine")
    with pytest.raises(AdapterError, match=other):
        with_adapter(ours, None)


def test_runtime_device_and_model_go_together(exported: Path) -> None:
    with pytest.raises(CheckpointError, match="leave --runtime out"):
        load(exported, runtime="torch")
    with pytest.raises(CheckpointError, match="on the CPU"):
        load("dentasam-tiny", device="cuda", runtime="onnx")
    with pytest.raises(CheckpointError, match="leave --precision out"):
        load("dentasam-tiny", precision="bf16", runtime="onnx")
    assert load("dentasam-tiny", device="cpu").model.runtime == "torch"


def test_what_the_graph_does_not_hold(exported: Path, image: np.ndarray) -> None:
    ours = load_onnx(exported)
    embedding = ours.encode(image)
    clicks, labels = np.array([[[30.0, 40.0]]]), np.array([[1]])
    with pytest.raises(PromptError, match="use torch"):
        ours.predict(embedding, clicks, labels, multimask=True)
    with pytest.raises(PromptError, match="use torch"):
        ours.predict(embedding, clicks, labels, output="sam")


@pytest.mark.parametrize("package", ["onnxruntime", "onnxscript"])
def test_a_missing_package_names_the_extra(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ExtraError, match=rf"{package}; pip install 'dentasam\[onnx\]'"):
        load("dentasam-tiny", runtime="onnx")
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_a_damaged_export_names_the_file(exported: Path) -> None:
    (exported / DECODER).write_bytes((exported / DECODER).read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"decoder\.onnx.*export it again"):
        load_onnx(exported)
    card = json.loads((exported / CARD).read_text())
    (exported / CARD).write_text(json.dumps(card | {"format": 0}))
    with pytest.raises(CheckpointError, match=r"dentasam\.json.*format"):
        load_onnx(exported)
    (exported / CARD).write_text("[]")
    with pytest.raises(CheckpointError, match=r"dentasam\.json.*export it again"):
        load_onnx(exported)
    (exported / ENCODER).unlink()
    assert not is_export(exported)


@pytest.mark.parametrize("graph", [ENCODER, DECODER])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_one_weight_that_is_not_finite_is_refused(exported: Path, graph: str, value: float) -> None:
    model = onnx.load(exported / graph)
    weight = max(model.graph.initializer, key=lambda item: len(item.raw_data))
    numbers = onnx.numpy_helper.to_array(weight).copy()
    numbers.flat[-1] = value
    weight.CopyFrom(onnx.numpy_helper.from_array(numbers, weight.name))
    onnx.save(model, exported / graph)
    with pytest.raises(CheckpointError, match=rf"{graph}: .* holds NaN or infinite numbers"):
        load_onnx(exported)


def test_the_card_says_what_was_exported(exported: Path) -> None:
    card = ExportCard.read(exported)
    base = dentasam.load("dentasam-tiny", device="cpu").info
    assert (card.base_model, card.base_sha256, card.kind, card.int8) == (base.name, base.sha256, base.kind, None)
    assert card.adapter is not None
    assert card.adapter.name == "panoramic-teeth"
