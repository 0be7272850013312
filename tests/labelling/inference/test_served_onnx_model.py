"""The labelling tool on ONNX Runtime: the same identity, the same stored embeddings, the same answers."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from dentasam.labelling.inference.encoding.uncertainty import uncertainty
from dentasam.labelling.inference.served_model import ServedModel
from dentasam.model.onnx.int8 import quantise_encoder
from dentasam.model.onnx.loading import load_onnx
from dentasam.model.runtime import load
from dentasam.model.windows.objects import ObjectAnswer, ObjectPrompt
from dentasam.model.windows.window import BoxedMask

IMAGE = np.random.default_rng(0).integers(0, 255, (64, 512), dtype=np.uint8)


@pytest.mark.parametrize("windows", [False, True], ids=["whole image", "windows"])
def test_it_is_served_as_torch_is(exported_bundled: Path, monkeypatch: pytest.MonkeyPatch, windows: bool) -> None:
    theirs = ServedModel(load("dentasam-tiny", "panoramic-teeth", "cpu", "fp32"), windows=windows)
    monkeypatch.setattr(theirs.segmenter, "sparse_upscaling", False)
    ours = ServedModel(load_onnx(exported_bundled), windows=windows)
    assert ours.identity == theirs.identity
    assert ours.key == theirs.key  # embeddings on disk serve both
    embedding = theirs.encode(IMAGE)
    logits = np.random.default_rng(1).normal(size=embedding.frame.logits).astype(np.float32)
    wanted = [
        ObjectPrompt(np.array([[100, 30, 1], [120, 50, 0]])),
        ObjectPrompt(
            np.array([[300, 40, 1]]), None, ObjectAnswer(BoxedMask(0, 0, np.zeros((0, 0), bool)), logits, 0.5)
        ),
        ObjectPrompt(np.zeros((0, 3)), (50.0, 10.0, 90.0, 60.0)),
    ]
    assert ours.windows == windows
    pixels = IMAGE if windows else None
    answers = ours.decode(ours.image(pixels, ours.encode(IMAGE)), wanted)
    pairs = zip(answers, theirs.decode(theirs.image(pixels, embedding), wanted), strict=True)
    for found, expected in pairs:
        assert found.window == expected.window
        np.testing.assert_allclose(found.logits, expected.logits, atol=2e-3)
        assert found.score == pytest.approx(expected.score, abs=1e-4)
    assert uncertainty(ours.model, embedding) == pytest.approx(uncertainty(theirs.model, embedding), abs=1e-4)


def test_embeddings_in_int8_are_kept_apart(exported_bundled: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(exported_bundled, tmp_path / "int8"))
    quantise_encoder(folder)
    assert ServedModel(load_onnx(folder)).key != ServedModel(load_onnx(exported_bundled)).key
