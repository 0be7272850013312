"""The size of a pixel, from the elements that state it, and None where they do not."""

from typing import Any

import pytest

from dentasam.data.images.read import read_header

from .dicom_files import Write, ramp


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({}, None),
        ({"ImagerPixelSpacing": [0.1, 0.1]}, 0.1),
        ({"PixelSpacing": [0.08, 0.08], "ImagerPixelSpacing": [0.1, 0.1]}, 0.08),
        ({"NominalScannedPixelSpacing": [0.0846, 0.0847]}, 0.08465),
        ({"PixelSpacing": [0.1, 0.13]}, None),  # not square
        ({"PixelSpacing": [0.1, 0.13], "ImagerPixelSpacing": [0.1, 0.1]}, 0.1),
        ({"PixelSpacing": [1, 1]}, None),  # a placeholder
        ({"PixelSpacing": [0, 0]}, None),
        ({"PixelSpacing": ("DS", b"0,1\\0,1 ")}, 0.1),
        ({"PixelSpacing": ("DS", b"unknown ")}, None),
        ({"ImagerPixelSpacing": ("DS", b"")}, None),
    ],
)
def test_millimetres_per_pixel(write: Write, elements: dict[str, Any], expected: float | None) -> None:
    found = read_header(write(ramp(), **elements)).mm_per_pixel
    assert found == (None if expected is None else pytest.approx(expected))
