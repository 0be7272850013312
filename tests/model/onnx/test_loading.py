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
from dentasam.data.phantom import generate
from dentasam.errors import AdapterError, CheckpointError, ExtraError, PromptError
from dentasam.model.onnx import loading
from dentasam.model.onnx.export import CARD, DECODER, ENCODER, ExportCard, is_export
from dentasam.model.onnx.int8 import quantise_encoder
from dentasam.model.onnx.loading import load_onnx
from dentasam.model.runtime import load, with_adapter
from dentasam.model.windows.choices import iou
from dentasam.model.windows.objects import ObjectPrompt
from dentasam.prompts.correction_clicks import interior_centre

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


def test_object_windows_answer_as_torch(exported: Path) -> None:
    """The first clicks of two objects, their choices, and a correction in their windows."""
    phantom = generate(5, 800, 400)
    teeth = [item.mask for item in phantom.objects if item.category.isdigit()][:2]
    (x0, y0), (x1, y1) = interior_centre(np.stack(teeth))
    torch_segmenter = dentasam.load("dentasam-tiny", "panoramic-teeth", "cpu", "fp32").merged()
    torch_segmenter.sparse_upscaling = False
    found = []
    for segmenter in (torch_segmenter, load_onnx(exported)):
        image = segmenter.windows(phantom.image)
        prompts = [ObjectPrompt(np.array([[x, y, 1.0]])) for x, y in ((x0, y0), (x1, y1))]
        first = image.decode(prompts)
        corrected = [
            ObjectPrompt(np.vstack([prompt.clicks, [x, y - 9, 1.0]]), previous=answer)
            for prompt, answer, (x, y) in zip(prompts, first, ((x0, y0), (x1, y1)), strict=True)
        ]
        found.append((first, image.decode(corrected), [choice for own in image.choices(prompts) for choice in own]))
    for expected, ours in zip(*found, strict=True):
        assert len(ours) == len(expected) >= 2
        for right, own in zip(expected, ours, strict=True):
            assert right.window is not None
            assert own.window == right.window
            np.testing.assert_allclose(own.logits, right.logits, atol=1e-3)
            assert own.score == pytest.approx(right.score, abs=1e-4)
            assert iou(own.mask, right.mask) > 0.999


def test_an_older_export_answers_on_the_whole_image(
    exported: Path, image: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    newer = load_onnx(exported)
    clicks = np.array([[60.0, 50.0, 1.0], [20.0, 20.0, 0.0]])
    (expected,) = newer.windows(image, windows=False).decode([ObjectPrompt(clicks)])
    _as_before_windows(exported)
    with caplog.at_level("WARNING"):
        older = load_onnx(exported)
    assert [record.getMessage() for record in caplog.records] == [
        f"{exported}: exported before object windows; answers on the whole image until exported again"
    ]
    seen = older.windows(image)
    (answer,), (choices,) = seen.decode([ObjectPrompt(clicks)]), seen.choices([ObjectPrompt(clicks)])
    for own in (answer, *choices):
        assert own.window is None
        np.testing.assert_allclose(own.logits, expected.logits, atol=1e-4)
        assert iou(own.mask, expected.mask) > 0.999
    assert len(choices) == 1
    with pytest.raises(PromptError, match="export it again"):
        older.predict(older.encode(image), clicks[None, :, :2], np.array([[1, 0]]), multimask=True)
    with pytest.raises(CheckpointError, match="earlier version"):
        quantise_encoder(exported)


def _as_before_windows(folder: Path) -> None:
    """The folder as an earlier version wrote it: one whole image, and the single mask."""
    zeros = onnx.numpy_helper.from_array(np.zeros(1, np.int64))
    place = onnx.numpy_helper.from_array(np.zeros(2, np.int64))
    for name in (ENCODER, DECODER):
        graph = onnx.load(folder / name)
        nodes = [onnx.helper.make_node("Constant", [], ["place"], value=place)]
        if name == DECODER:
            nodes += [
                onnx.helper.make_node("Shape", ["labels"], ["objects"], start=0, end=1),
                onnx.helper.make_node("ConstantOfShape", ["objects"], ["image"], value=zeros),
            ]
        for given in [each for each in graph.graph.input if each.name in ("place", "image")]:
            graph.graph.input.remove(given)
        for given in [each for each in graph.graph.output if each.name in ("choices", "choice_scores")]:
            graph.graph.output.remove(given)
        for node in reversed(nodes):
            graph.graph.node.insert(0, node)
        onnx.save(graph, folder / name)
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps(card | {"format": 1}))
