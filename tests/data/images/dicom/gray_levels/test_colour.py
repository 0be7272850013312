"""Colour copies of a grey radiograph: their luminance is the radiograph, whichever way the colour is kept."""

from typing import Any

import numpy as np
import pytest
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import ExplicitVRBigEndian

from dentasam.data.images.dicom.read import dicom_header, read_dicom
from dentasam.data.notices import collected_notices

from ..dicom_files import Write, ramp

GRAY = ramp(0, 255, np.uint8)
# Of any colour: (H, W, 3).
COLOUR = np.stack([GRAY, GRAY[::-1], GRAY[:, ::-1]], axis=-1)
LUMINANCE = np.rint(COLOUR @ np.array([0.299, 0.587, 0.114]))


@pytest.mark.parametrize("planar", [0, 1, None])
def test_rgb(write: Write, planar: int | None) -> None:
    pixels = np.ascontiguousarray(np.moveaxis(COLOUR, -1, 0)) if planar else COLOUR
    path = write(COLOUR, bits=8, PlanarConfiguration=planar, PixelData=("OB", pixels.tobytes()))
    with collected_notices() as notices:
        np.testing.assert_array_equal(read_dicom(path), LUMINANCE)
    missing = "has no PlanarConfiguration; the samples of a pixel are taken as lying together"
    assert notices == ([missing] if planar is None else [])
    header = dicom_header(path)
    assert (header.height, header.width, header.bits, header.windowed) == (32, 64, 8, False)


@pytest.mark.parametrize("bits", [12, 16])
def test_rgb_of_more_than_8_bits(write: Write, bits: int) -> None:
    wide = ramp(0, (1 << bits) - 1)
    path = write(np.stack([wide] * 3, axis=-1), bits=bits)
    np.testing.assert_allclose(read_dicom(path), wide / ((1 << bits) - 1) * 65535, atol=1)
    assert dicom_header(path).bits == 16


def test_the_samples_tell_rgb_where_the_photometric_interpretation_is_missing(write: Write) -> None:
    with collected_notices() as notices:
        np.testing.assert_array_equal(read_dicom(write(COLOUR, bits=8, PhotometricInterpretation=None)), LUMINANCE)
    assert notices == ["has no PhotometricInterpretation; RGB is assumed"]


def test_ybr_full(write: Write) -> None:
    ybr = convert_color_space(COLOUR, "RGB", "YBR_FULL")
    read = read_dicom(write(ybr, bits=8, PhotometricInterpretation="YBR_FULL"))
    np.testing.assert_allclose(read, LUMINANCE, atol=1)


def test_ybr_full_422(write: Write) -> None:
    ybr = convert_color_space(COLOUR, "RGB", "YBR_FULL")
    first, second = ybr[:, ::2], ybr[:, 1::2]
    pairs = np.stack([first[..., 0], second[..., 0], first[..., 1], first[..., 2]], axis=-1)
    path = write(ybr, bits=8, PhotometricInterpretation="YBR_FULL_422", PixelData=("OB", pairs.tobytes()))
    np.testing.assert_allclose(read_dicom(path), LUMINANCE, atol=1)
    # All the samples are there, though the header says that half of the chrominance is left out.
    whole = write(ybr, bits=8, PhotometricInterpretation="YBR_FULL_422")
    np.testing.assert_allclose(read_dicom(whole), LUMINANCE, atol=1)


def palette(colours: np.ndarray, first: int, bits: int, vr: str = "OW", order: str = "<") -> dict[str, Any]:
    """colours (n, 3); the elements of a palette with two bytes for each entry."""
    elements: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for channel, name in enumerate(("Red", "Green", "Blue")):
        keyword = f"{name}PaletteColorLookupTable"
        descriptor = np.array([len(colours) % 65536, first % 65536, bits]).astype(f"{order}u2")
        elements[f"{keyword}Descriptor"] = ("US" if first >= 0 else "SS", descriptor.tobytes())
        elements[f"{keyword}Data"] = (vr, colours[:, channel].astype(f"{order}u2").tobytes())
    return elements


PALETTE = np.stack([np.arange(256), np.arange(256)[::-1], (np.arange(256) * 7) % 256], axis=-1)
PALETTE_LUMINANCE = PALETTE @ np.array([0.299, 0.587, 0.114])


def test_a_palette_of_8_bits(write: Write) -> None:
    path = write(GRAY, bits=8, **palette(PALETTE, 0, 8))
    np.testing.assert_array_equal(read_dicom(path), np.rint(PALETTE_LUMINANCE)[GRAY])
    assert dicom_header(path).bits == 8


@pytest.mark.parametrize("big_endian", [False, True])
def test_a_palette_of_16_bits(write: Write, big_endian: bool) -> None:
    syntax = {"syntax": ExplicitVRBigEndian} if big_endian else {}
    path = write(GRAY, bits=8, **palette(PALETTE * 257, 0, 16, order=">" if big_endian else "<"), **syntax)
    np.testing.assert_array_equal(read_dicom(path), np.rint(PALETTE_LUMINANCE * 257)[GRAY])
    assert dicom_header(path).bits == 16


def test_a_palette_that_says_16_bits_and_fills_8(write: Write) -> None:
    path = write(GRAY, bits=8, **palette(PALETTE, 0, 16))
    np.testing.assert_array_equal(read_dicom(path), np.rint(PALETTE_LUMINANCE)[GRAY])


@pytest.mark.parametrize("first", [-128, 65408])
def test_a_palette_for_signed_pixels(write: Write, first: int) -> None:
    signed = (GRAY.astype(int) - 128).astype(np.int8)
    path = write(signed, bits=8, **palette(PALETTE, first, 8))
    np.testing.assert_array_equal(read_dicom(path), np.rint(PALETTE_LUMINANCE)[GRAY])


def test_pixels_beside_the_palette_take_its_ends(write: Write) -> None:
    path = write(GRAY, bits=8, **palette(PALETTE[:100], 50, 8))
    places = np.clip(GRAY.astype(int) - 50, 0, 99)
    np.testing.assert_array_equal(read_dicom(path), np.rint(PALETTE_LUMINANCE)[places])


def test_a_segmented_palette(write: Write) -> None:
    """PS3.3 C.7.9.2: a discrete segment of one entry, then a linear one up to white."""
    elements: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    segments = np.array([0, 1, 0, 1, 255, 65535], "<u2").tobytes()
    for name in ("Red", "Green", "Blue"):
        elements[f"{name}PaletteColorLookupTableDescriptor"] = ("US", np.array([256, 0, 16], "<u2").tobytes())
        elements[f"Segmented{name}PaletteColorLookupTableData"] = ("OW", segments)
    path = write(GRAY, bits=8, **elements)
    np.testing.assert_allclose(read_dicom(path), GRAY.astype(float) * 257, atol=2)
    assert dicom_header(path).bits == 16


def test_a_supplemental_palette_does_not_make_a_radiograph_colour(write: Write) -> None:
    elements = palette(PALETTE, 0, 8) | {"PhotometricInterpretation": "MONOCHROME2"}
    np.testing.assert_array_equal(read_dicom(write(GRAY, bits=8, **elements)), GRAY)
