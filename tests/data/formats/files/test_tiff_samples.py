"""Masks and labels in TIFF: the values as stored, or a refusal with the reason."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from dentasam.data.formats.files.mask_file import read_labels, read_mask
from dentasam.errors import DatasetError, ImageError

from ...coco_files import FILLING, TOOTH

LABELS = TOOTH * 36 + (FILLING & ~TOOTH) * 300
SMALL = TOOTH * 36


def saved(path: Path, values: np.ndarray, **options: Any) -> Path:
    tifffile.imwrite(path, values, **options)
    return path


@pytest.mark.parametrize("kind", ["uint16", "int16", "uint32", "int64", "float32", "float64"])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_labels_of_any_number_type(tmp_path: Path, kind: str, compression: str | None) -> None:
    file = saved(tmp_path / "a.tif", LABELS.astype(kind), compression=compression)
    np.testing.assert_array_equal(read_labels(file), LABELS)


def test_labels_of_a_palette_are_the_indices(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 65536, (3, 256), dtype=np.uint16)
    file = saved(tmp_path / "a.tif", SMALL.astype(np.uint8), photometric="palette", colormap=colours)
    np.testing.assert_array_equal(read_labels(file), SMALL)


@pytest.mark.parametrize(
    "values",
    [
        TOOTH.astype(np.uint8),
        TOOTH.astype(np.uint8) * 255,
        TOOTH.astype(np.uint16) * 65535,
        TOOTH.astype(np.float32),
        TOOTH.astype(np.int32) * 7,
        np.stack([TOOTH.astype(np.uint8) * 200] * 3, axis=2),
    ],
)
def test_masks(tmp_path: Path, values: np.ndarray) -> None:
    mask, cut = read_mask(saved(tmp_path / "a.tif", values))
    np.testing.assert_array_equal(mask, TOOTH)
    assert not cut


def test_a_mask_in_the_alpha_channel(tmp_path: Path) -> None:
    channels = np.stack([np.full(TOOTH.shape, 255, np.uint8)] * 3 + [TOOTH.astype(np.uint8) * 255], axis=2)
    file = saved(tmp_path / "a.tif", channels, photometric="rgb", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(read_mask(file)[0], TOOTH)


def test_white_as_zero(tmp_path: Path) -> None:
    file = saved(tmp_path / "a.tif", SMALL.astype(np.uint8), photometric="miniswhite")
    np.testing.assert_array_equal(read_labels(file), SMALL)
    for mask in (TOOTH.astype(np.uint8), TOOTH):
        with pytest.raises(DatasetError, match=r"a\.tif stores white as 0, .*; save the mask as white on black"):
            read_mask(saved(tmp_path / "a.tif", mask, photometric="miniswhite"))
    one_bit = saved(tmp_path / "a.tif", TOOTH, photometric="minisblack")
    np.testing.assert_array_equal(read_mask(one_bit)[0], TOOTH)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (TOOTH * 0.5, {}, "not whole numbers; save it"),
        (np.where(TOOTH, np.nan, 0), {}, "not from 0 to 65535; save it"),
        (TOOTH * np.int32(-1), {}, "not from 0 to 65535; save it"),
        (TOOTH * np.int32(70000), {}, "not from 0 to 65535; save it"),
        (np.stack([SMALL.astype(np.uint8)] * 4, axis=2), {"photometric": "separated"}, "SEPARATED samples; save it"),
        (SMALL.astype(np.uint8), {"compression": "jpeg"}, "compressed as JPEG, which changes its values; save it"),
        (np.stack([SMALL.astype(np.uint8)] * 2), {"photometric": "minisblack"}, "holds 2 pages; save"),
    ],
)
def test_what_is_not_a_label(tmp_path: Path, values: np.ndarray, options: dict[str, Any], message: str) -> None:
    file = saved(tmp_path / "a.tif", values, **options)
    with pytest.raises((DatasetError, ImageError), match=rf"a\.tif .*{message}"):
        read_labels(file)
    with pytest.raises((DatasetError, ImageError), match=rf"a\.tif .*{message}"):
        read_mask(file)


def test_damaged_files(tmp_path: Path) -> None:
    whole = saved(tmp_path / "a.tif", LABELS.astype(np.uint16)).read_bytes()
    for end in (0, 4, 9, len(whole) // 2, len(whole) - 1):
        (tmp_path / "a.tif").write_bytes(whole[:end])
        with pytest.raises(ImageError, match=r"a\.tif .*; "):
            read_labels(tmp_path / "a.tif")
