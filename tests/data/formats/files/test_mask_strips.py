"""Masks and labels that are gone through in strips are read as in one piece, and noise is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dentasam.data.formats import png
from dentasam.data.formats.codecs.label_image import runs_by_value
from dentasam.data.formats.files import mask_file
from dentasam.data.formats.files.mask_file import levels, read_mask
from dentasam.data.images.raster import pillow
from dentasam.data.images.read import read_image
from dentasam.data.masks import rle
from dentasam.errors import DatasetError


@pytest.fixture(params=[7, 100])
def in_strips(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for room in (mask_file, pillow, rle):
        monkeypatch.setattr(room, "STRIP_PIXELS", request.param)


def blob(height: int = 31, width: int = 23) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    cv2.circle(mask, (11, 15), 8, 255, -1)
    return mask


def saved(pixels: np.ndarray, folder: Path) -> Path:
    path = folder / "mask.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.usefixtures("in_strips")
def test_soft_and_coloured_masks(tmp_path: Path) -> None:
    hard = blob()
    soft = cv2.GaussianBlur(hard, (5, 5), 0)
    mask, cut = read_mask(saved(soft, tmp_path))
    assert cut
    assert np.array_equal(mask, soft > 127)
    opaque = np.full_like(hard, 255)
    for pixels in (np.dstack([hard, hard, hard]), np.dstack([hard, hard, hard, opaque]), np.dstack([soft, opaque])):
        assert np.array_equal(read_mask(saved(pixels, tmp_path))[0], mask if pixels.shape[2] == 2 else hard > 0)


@pytest.mark.usefixtures("in_strips")
def test_gray_areas_and_two_colours_are_found_across_strips(tmp_path: Path) -> None:
    gray = blob()
    gray[5:9, 16:20] = 90
    with pytest.raises(DatasetError, match="grey areas"):
        read_mask(saved(gray, tmp_path))
    other = blob()
    other[20:] //= 2
    with pytest.raises(DatasetError, match=r"different colours \(RGB 255 255 0 and RGB 255 127 0\)"):
        read_mask(saved(np.dstack([blob(), other, 0 * other]), tmp_path))


@pytest.mark.usefixtures("in_strips")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_runs_of_labels(dtype: type[np.generic]) -> None:
    rng = np.random.default_rng(0)
    for shape in ((31, 23), (1, 50), (50, 1)):
        labels = np.repeat(rng.integers(0, 5, shape), 3, axis=0).astype(dtype)
        found = dict(runs_by_value(labels, Path("labels.png")))
        assert sorted(found) == [value for value in np.unique(labels) if value]
        for value, runs in found.items():
            assert runs.tolist() == rle.encode(labels == value).tolist()
        assert levels(labels).tolist() == np.unique(labels).tolist()


@pytest.mark.usefixtures("in_strips")
@pytest.mark.parametrize("mode", ["L", "I;16", "RGB", "RGBA", "P", "1"])
def test_pictures(mode: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (31, 23, 3), np.uint8)
    image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(pixels)
    image = image if mode == "I;16" else image.convert(mode)
    image.save(tmp_path / "opg.png")
    gray = image if mode == "I;16" else (image.convert("RGB") if mode == "P" else image).convert("L")
    assert np.array_equal(read_image(tmp_path / "opg.png"), np.asarray(gray))


def test_noise_is_refused_by_the_name_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rle, "MAX_RUNS", 100)
    monkeypatch.setattr(rle, "STRIP_PIXELS", 64)
    board = (np.indices((30, 30)).sum(axis=0) % 2 * 255).astype(np.uint8)
    with pytest.raises(DatasetError, match=r"mask\.png: a mask begins or ends over 100 times"):
        png._object(saved(board, tmp_path), "11", 30, 30)
    with pytest.raises(DatasetError, match=r"labels\.png changes its value over 100 times"):
        list(runs_by_value(board, Path("labels.png")))
    assert len(dict(runs_by_value(blob(), Path("labels.png")))) == 1
