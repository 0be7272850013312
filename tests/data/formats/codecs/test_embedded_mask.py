"""Masks as PNGs inside annotations, in every mode that tools write."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dentasam.data.formats.codecs.embedded_mask import bytes_of_base64, mask_of_png, placed

MASK = np.array([[1, 0, 0], [1, 1, 0]], bool)


def png(image: Image.Image, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def palette(bits: int) -> bytes:
    image = Image.fromarray(MASK.astype(np.uint8), "P")
    # The ground is white: the index decides, not the colour.
    image.putpalette([255, 255, 255, 0, 0, 0])
    return png(image, bits=bits, transparency=0)


def in_alpha(mode: str) -> bytes:
    colour = Image.new(mode[:-1], (3, 2), 0)
    colour.putalpha(Image.fromarray(MASK.astype(np.uint8) * 255))
    return png(colour)


@pytest.mark.parametrize(
    "data",
    [
        png(Image.fromarray(MASK.astype(np.uint8))),
        png(Image.fromarray(MASK.astype(np.uint8) * 255)),
        png(Image.fromarray(MASK)),
        png(Image.fromarray(MASK.astype(np.uint16) * 256)),
        png(Image.fromarray(np.stack([MASK * np.uint8(0), MASK * np.uint8(9), MASK * np.uint8(0)], axis=2))),
        png(Image.fromarray(MASK.astype(np.uint8) * 255).convert("RGBA")),
        palette(1),
        palette(8),
        in_alpha("LA"),
        in_alpha("RGBA"),
    ],
    ids=["0 and 1", "0 and 255", "1 bit", "16 bits", "colour", "opaque", "palette 1", "palette 8", "LA", "RGBA"],
)
def test_modes(data: bytes) -> None:
    np.testing.assert_array_equal(mask_of_png(data, 2, 3), MASK)


def test_bad_files() -> None:
    good = png(Image.fromarray(MASK))
    huge = good[:16] + struct.pack(">II", 60000, 60000) + good[24:]
    for data, reason in (
        (b"", "is not a PNG"),
        (good[:20], "is not a PNG"),
        (good[:-30], "is a damaged PNG"),
        (huge, "of 60000x60000 pixels is larger than the image"),
        (png(Image.new("L", (4, 2))), "of 4x2 pixels is larger than the image"),
    ):
        with pytest.raises(ValueError, match=reason):
            mask_of_png(data, 2, 3)
    for text in (None, 3, "a", "é", "AA=A"):
        with pytest.raises(ValueError, match="its mask is not a"):
            bytes_of_base64(text, "its mask")


@pytest.mark.parametrize(("x", "y"), [(0, 0), (-1, 0), (2, 3), (-1, -1), (9, 0), (-9, -9), (7, 4), (3, 5)])
def test_what_lies_outside_is_cut_off(x: int, y: int) -> None:
    whole = np.zeros((30, 30), bool)
    whole[10 + y : 12 + y, 10 + x : 13 + x] = MASK
    np.testing.assert_array_equal(placed(x, y, MASK, 6, 8).on_image(6, 8), whole[10:16, 10:18])
