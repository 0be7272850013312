"""Quantised encoders stay near the encoder they are made of, and say what they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from dentasam.data.phantom import generate
from dentasam.errors import CheckpointError
from dentasam.model.onnx.export import ENCODER, ExportCard
from dentasam.model.onnx.int8 import Method, quantise_encoder
from dentasam.model.onnx.loading import load_onnx

WIDTH, HEIGHT = 256, 128


@pytest.fixture
def folder(exported_bundled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported_bundled, tmp_path / "exported"))


@pytest.mark.parametrize(("method", "share"), [("dynamic", 0.6), ("static", 0.5)])
def test_features_stay_near(
    method: Method, share: float, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = generate(3, WIDTH, HEIGHT).image
    expected = load_onnx(folder).encode(image)
    before = (folder / ENCODER).stat().st_size
    card = quantise_encoder(folder, method, (generate(seed, WIDTH, HEIGHT).image for seed in (1, 2)))
    assert (folder / ENCODER).stat().st_size < share * before
    assert ExportCard.read(folder) == card
    assert card.int8 == method
    found = load_onnx(folder).encode(image)
    for name in ("features", "hq"):
        near, right = (np.asarray(getattr(each, name)) for each in (found, expected))
        error = np.sqrt(np.mean((near - right) ** 2) / np.mean(right**2))
        assert 0 < error < (0.02 if method == "dynamic" else 0.15)
    assert {path.name for path in tmp_path.iterdir()} == {"exported"}
    assert len(list(folder.iterdir())) == 5  # both graphs, the card, and the chart head with its own
    with pytest.raises(CheckpointError, match="in int8 already"):
        quantise_encoder(folder, "dynamic")


def test_static_needs_images_and_leaves_the_model_as_it_was(folder: Path) -> None:
    before = (folder / ENCODER).read_bytes()
    with pytest.raises(ValueError, match="No data"):
        quantise_encoder(folder, "static")
    assert (folder / ENCODER).read_bytes() == before
    assert ExportCard.read(folder).int8 is None
