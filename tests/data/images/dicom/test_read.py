"""DICOM files written here with pydicom, read back against the standard's arithmetic."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEGLosslessSV1, RLELossless

from dentasam.data.images.dicom.compression import decoders
from dentasam.data.images.read import image_size, read_image
from dentasam.data.notices import collected_notices
from dentasam.errors import ImageError

from .dicom_files import Write, lut, ramp, to_16_bits


def test_12_bits_fill_16_without_wrapping(write: Write) -> None:
    path = write(ramp())
    read = read_image(path)
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, to_16_bits(ramp(), 0, 4095))
    assert (np.diff(read.reshape(-1).astype(int)) >= 0).all()
    assert image_size(path) == (32, 64)


def test_monochrome1_is_inverted(write: Write) -> None:
    read = read_image(write(ramp(), PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(read, 65535 - to_16_bits(ramp(), 0, 4095))


def test_8_bits_stay_as_they_are(write: Write) -> None:
    pixels = ramp(30, 190, np.uint8)
    plain = read_image(write(pixels, bits=8))
    assert plain.dtype == np.uint8
    np.testing.assert_array_equal(plain, pixels)
    identity = {"RescaleSlope": 1, "RescaleIntercept": 0, "WindowCenter": 128, "WindowWidth": 256}
    np.testing.assert_array_equal(read_image(write(pixels, bits=8, **identity)), pixels)
    inverted = read_image(write(pixels, bits=8, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(inverted, 255 - pixels)


def test_window_is_applied_as_the_standard_says(write: Write) -> None:
    read = read_image(write(ramp(), WindowCenter=2000, WindowWidth=1001))
    expected = to_16_bits(ramp(), 1999.5 - 500, 1999.5 + 500)  # PS3.3 C.11.2.1.2: c - 0.5, w - 1
    np.testing.assert_allclose(read, expected, atol=1)
    assert read[0, 0] == 0
    assert read[-1, -1] == 65535


def test_of_several_windows_the_first_counts(write: Write) -> None:
    several = read_image(write(ramp(), WindowCenter=[2000, 100], WindowWidth=[1001, 50]))
    one = read_image(write(ramp(), WindowCenter=2000, WindowWidth=1001))
    np.testing.assert_array_equal(several, one)


def test_sigmoid_window(write: Write) -> None:
    read = read_image(write(ramp(), WindowCenter=2048, WindowWidth=1000, VOILUTFunction="SIGMOID"))
    expected = 65535 / (1 + np.exp(-4 * (ramp().astype(float) - 2048) / 1000))
    np.testing.assert_allclose(read, expected, atol=1)


@pytest.mark.parametrize("width", [0, -5, None])
def test_a_window_of_no_width_is_passed_over(write: Write, width: int | None) -> None:
    elements = {} if width is None else {"WindowWidth": width}
    read = read_image(write(ramp(), WindowCenter=2000, **elements))
    np.testing.assert_array_equal(read, to_16_bits(ramp(), 0, 4095))


def test_the_window_acts_on_rescaled_values(write: Write) -> None:
    rescale = {"RescaleSlope": 2, "RescaleIntercept": -1000}
    read = read_image(write(ramp(), WindowCenter=3000, WindowWidth=2001, **rescale))
    np.testing.assert_allclose(read, to_16_bits(2.0 * ramp() - 1000, 1999.5, 3999.5), atol=1)


def test_a_negative_slope_turns_the_image(write: Write) -> None:
    for window in ({}, {"WindowCenter": -2047, "WindowWidth": 4096}):
        read = read_image(write(ramp(), RescaleSlope=-1, RescaleIntercept=0, **window))
        np.testing.assert_allclose(read, 65535 - to_16_bits(ramp(), 0, 4095), atol=20)
        assert read[0, 0] == 65535


def test_signed_pixels(write: Write) -> None:
    pixels = ramp(-1024, 1000, np.int16)
    np.testing.assert_array_equal(read_image(write(pixels, bits=16)), to_16_bits(pixels, -1024, 1000))
    windowed = read_image(write(pixels, bits=16, WindowCenter=0, WindowWidth=1001))
    np.testing.assert_allclose(windowed, to_16_bits(pixels, -500.5, 499.5), atol=1)


def test_signed_12_bits_whose_high_bits_were_left_zero(write: Write) -> None:
    pixels = ramp(-2048, 2047, np.int16)
    stored = (pixels.astype(int) & 0x0FFF).astype(np.int16)
    np.testing.assert_array_equal(read_image(write(stored)), to_16_bits(pixels, -2048, 2047))
    np.testing.assert_array_equal(read_image(write(pixels)), to_16_bits(pixels, -2048, 2047))


def test_bits_above_bits_stored(write: Write) -> None:
    overlay = ramp() | np.uint16(0x1000)
    claimed = write(overlay)
    header = pydicom.dcmread(claimed)
    header.add_new((0x6000, 0x0102), "US", 12)
    header.save_as(claimed)
    np.testing.assert_array_equal(read_image(claimed), to_16_bits(ramp(), 0, 4095))
    # Without an overlay the standard reads the same bits; that others are set is reported.
    with collected_notices() as notices:
        np.testing.assert_array_equal(read_image(write(overlay)), to_16_bits(ramp(), 0, 4095))
    assert notices == ["has pixels with bits above the 12 that BitsStored names; only those 12 count"]


def test_16_bits_stored_but_12_used_do_not_come_out_black(write: Write) -> None:
    np.testing.assert_array_equal(read_image(write(ramp(), bits=16)), to_16_bits(ramp(), 0, 4095))


def test_padding_does_not_count_in_the_range(write: Write) -> None:
    pixels = ramp(100, 1100)
    pixels[:, :4] = 65535
    read = read_image(write(pixels, bits=16, PixelPaddingValue=65535))
    np.testing.assert_array_equal(read[:, 4:], to_16_bits(pixels[:, 4:], pixels[:, 4:].min(), 1100))


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_voi_lut(write: Write, bits: int) -> None:
    table = np.linspace(0, 2**bits - 1, 3000).round().astype(int)
    path = write(ramp(), VOILUTSequence=[lut(500, table.tolist(), bits)])
    expected = table[np.clip(ramp().astype(int) - 500, 0, 2999)] / (2**bits - 1) * 65535
    np.testing.assert_array_equal(read_image(path), np.rint(expected))


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_modality_lut(write: Write, bits: int) -> None:
    table = (np.linspace(0, 1, 4096) ** 2 * (2**bits - 1)).round().astype(int)
    path = write(ramp(), ModalityLUTSequence=[lut(0, table.tolist(), bits)])
    np.testing.assert_array_equal(read_image(path), to_16_bits(table[ramp()], 0, 2**bits - 1))


def test_rle_compressed(write: Write) -> None:
    path = write(ramp())
    header = pydicom.dcmread(path)
    header.compress(RLELossless)
    header.save_as(path)
    np.testing.assert_array_equal(read_image(path), to_16_bits(ramp(), 0, 4095))


def test_file_without_preamble(write: Write, tmp_path: Path) -> None:
    header = pydicom.dcmread(write(ramp()))
    del header.file_meta
    header.preamble = None
    bare = tmp_path / "bare.dcm"
    pydicom.dcmwrite(bare, header, implicit_vr=True, little_endian=True)
    assert bare.read_bytes()[128:132] != b"DICM"
    np.testing.assert_array_equal(read_image(bare), to_16_bits(ramp(), 0, 4095))


def test_file_without_suffix(write: Write, tmp_path: Path) -> None:
    plain = write(ramp()).rename(tmp_path / "IMG0001")
    assert image_size(plain) == (32, 64)


@pytest.mark.parametrize(
    ("elements", "says"),
    [
        ({"NumberOfFrames": 2}, "holds 2 frames; export the one panoramic frame"),
        ({"PhotometricInterpretation": "HSV", "SamplesPerPixel": 3}, "is a colour image (HSV); export"),
        (
            {"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3},
            "it has 4096 bytes of pixel data, 12288 are needed",
        ),
        ({"PhotometricInterpretation": "RGB"}, "contradicts itself (RGB with 1 samples per pixel)"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "has a palette without a table for red"),
        ({"BitsAllocated": 12}, "has 12 bits per pixel, which cannot be read"),
        (
            {"RescaleIntercept": ("DS", b"nan ")},
            "has a rescale slope or intercept that is not a number; export it again",
        ),
        (
            {"RescaleSlope": ("DS", b"1e308 ")},
            "has a rescale slope or intercept that is not a number; export it again",
        ),
        ({"RescaleSlope": ("DS", b"inf ")}, "has a rescale slope or intercept that is not a number; export it again"),
        ({"PixelData": None}, "has no pixel data"),
        ({"Rows": None}, "has no pixel data"),
        ({"Rows": 33}, "is damaged or truncated DICOM"),
        ({"Rows": 60000, "Columns": 60000}, "over 100 megapixels; shrink it"),
        ({"Rows": 0}, "has no pixels (64 x 0)"),
        ({"BitsAllocated": None}, "is damaged or truncated DICOM"),
    ],
)
def test_what_is_no_single_gray_frame_is_refused(write: Write, elements: dict[str, Any], says: str) -> None:
    path = write(ramp(), **elements)
    for reading in (read_image, image_size) if "slope" not in says else (read_image,):
        with pytest.raises(ImageError) as caught:
            reading(path)
        assert says in str(caught.value)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)


def test_compression_without_a_decoder_names_it_and_the_fix(write: Write, monkeypatch: Any) -> None:
    path = write(ramp())
    header = pydicom.dcmread(path)
    header.PixelData = pydicom.encaps.encapsulate([bytes(100)])
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True
    header.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    header.save_as(path)
    monkeypatch.setattr(decoders, "find_spec", lambda module: None)
    with pytest.raises(ImageError, match="compressed as JPEG Lossless.* no decoder is installed; export it"):
        read_image(path)
    with pytest.raises(ImageError, match="pip install python-gdcm"):
        image_size(path)


@pytest.mark.parametrize("keep", [140, 300, 2000])
def test_truncated_dicom(write: Write, keep: int) -> None:
    path = write(ramp())
    path.write_bytes(path.read_bytes()[:keep])
    for reading in (read_image, image_size):
        with pytest.raises(ImageError, match=r"x\.dcm"):
            reading(path)


def test_text_with_a_dicom_suffix(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    path.write_text("this is a note " * 40)
    with pytest.raises(ImageError, match=r"x\.dcm is"):
        read_image(path)
