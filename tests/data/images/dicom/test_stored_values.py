"""Which bits of a cell are the value (PS3.5 8.1.1), and what takes no part in the range: against own arithmetic."""

import numpy as np
import pydicom
import pytest
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from dentasam.data.images.dicom.read import dicom_header, read_dicom
from dentasam.data.notices import collected_notices

from .dicom_files import Write, ramp, to_16_bits


def signed_ramp(bits: int) -> np.ndarray:
    return ramp(-(1 << (bits - 1)), (1 << (bits - 1)) - 1, np.int16)


@pytest.mark.parametrize("bits", [9, 10, 12, 14, 15, 16])
@pytest.mark.parametrize("extended", ["all", "none", "some"])
def test_the_highest_stored_bit_is_the_sign(write: Write, bits: int, extended: str) -> None:
    pixels = signed_ramp(bits)
    cells = pixels.copy()
    cut = (pixels.astype(int) & ((1 << bits) - 1)).astype(np.uint16).view(np.int16)
    if extended != "all":
        rows = slice(None) if extended == "none" else slice(0, None, 2)
        cells[rows] = cut[rows]
    with collected_notices() as notices:
        read = read_dicom(write(cells, bits=bits))
    np.testing.assert_array_equal(read, to_16_bits(pixels, pixels.min(), pixels.max()))
    assert notices == []


@pytest.mark.parametrize("signed", [False, True])
def test_junk_above_the_stored_bits_is_cut_and_reported(write: Write, signed: bool) -> None:
    pixels = signed_ramp(12) if signed else ramp()
    cells = pixels.astype(int) & 0x0FFF
    cells[4:9, 10:20] |= 0x5000
    with collected_notices() as notices:
        read = read_dicom(write(cells.astype(np.int16 if signed else np.uint16)))
    np.testing.assert_array_equal(read, to_16_bits(pixels, pixels.min(), pixels.max()))
    assert notices == ["has pixels with bits above the 12 that BitsStored names; only those 12 count"]


@pytest.mark.parametrize("high", [11, 13, 15])
@pytest.mark.parametrize("signed", [False, True])
def test_high_bit_says_where_the_value_lies(write: Write, high: int, signed: bool) -> None:
    pixels = signed_ramp(12) if signed else ramp()
    cells = ((pixels.astype(int) & 0x0FFF) << (high - 11)).astype(np.uint16)
    # Bits below the value are as little part of it.
    cells |= np.uint16((1 << (high - 11)) - 1)
    path = write(cells, HighBit=high, PixelRepresentation=int(signed), WindowCenter=0, WindowWidth=4096)
    expected = to_16_bits(pixels, -0.5 - 4095 / 2, -0.5 + 4095 / 2)
    np.testing.assert_allclose(read_dicom(path), expected, atol=1)


def test_8_bit_signed_pixels_are_shifted_to_start_at_black(write: Write) -> None:
    pixels = ramp(-128, 127, np.int8)
    np.testing.assert_array_equal(read_dicom(write(pixels, bits=8)), pixels.astype(int) + 128)


def test_7_of_8_bits(write: Write) -> None:
    pixels = ramp(0, 127, np.uint8)
    cells = pixels | np.uint8(0x80)
    np.testing.assert_array_equal(read_dicom(write(cells, bits=7)), np.rint(pixels / 127 * 255))


def test_32_bits(write: Write) -> None:
    pixels = ramp(-70000, 90000, np.int32)
    np.testing.assert_array_equal(read_dicom(write(pixels, bits=32)), to_16_bits(pixels, -70000, 90000))


def test_float_pixels_are_scaled_over_their_range(write: Write) -> None:
    pixels = ramp(-5, 20, np.float32) / np.float32(3)
    content = ("OF", pixels.astype("<f4").tobytes())
    path = write(pixels.view(np.uint32), bits=32, PixelData=None, FloatPixelData=content)
    np.testing.assert_allclose(read_dicom(path), to_16_bits(pixels, pixels.min(), pixels.max()), atol=1)


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_every_encoding_of_the_same_pixels_reads_the_same(write: Write, syntax: str, dtype: type) -> None:
    pixels = ramp(0, 200, dtype)
    bits = 8 * pixels.itemsize
    expected = read_dicom(write(pixels, bits=bits))
    path = write(pixels, bits=bits, syntax=syntax)
    np.testing.assert_array_equal(read_dicom(path), expected)
    assert dicom_header(path).bits == 8 * expected.itemsize


def test_8_bit_pixels_in_words_of_big_endian(write: Write) -> None:
    pixels = ramp(0, 200, np.uint8)
    words = pixels.tobytes()
    swapped = np.frombuffer(words, "<u2").astype(">u2").tobytes()
    path = write(pixels, bits=8, syntax=ExplicitVRBigEndian, PixelData=("OW", swapped))
    np.testing.assert_array_equal(read_dicom(path), pixels)


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, ImplicitVRLittleEndian, None])
def test_without_preamble_and_meta_header_the_elements_tell_the_encoding(write: Write, syntax: str | None) -> None:
    path = write(ramp(), **({} if syntax is None else {"syntax": syntax}))
    content = path.read_bytes()
    path.write_bytes(content[144 + int.from_bytes(content[140:144], "little") :])
    np.testing.assert_array_equal(read_dicom(path), to_16_bits(ramp(), 0, 4095))


def test_big_endian_without_a_stated_transfer_syntax(write: Write) -> None:
    path = write(ramp(), syntax=ExplicitVRBigEndian)
    content = path.read_bytes()
    # Its element becomes one of the private information, which says nothing.
    path.write_bytes(content.replace(b"\x02\0\x10\0UI", b"\x02\0\x00\x01UI", 1))
    np.testing.assert_array_equal(read_dicom(path), to_16_bits(ramp(), 0, 4095))


def test_the_private_syntax_of_ge_swaps_only_the_pixels(write: Write) -> None:
    path = write(ramp(), syntax=ImplicitVRLittleEndian, PixelData=("OW", ramp().astype(">u2").tobytes()))
    header = pydicom.dcmread(path)
    header.file_meta.TransferSyntaxUID = UID("1.2.840.113619.5.2")
    pydicom.dcmwrite(path, header, implicit_vr=True, little_endian=True)
    np.testing.assert_array_equal(read_dicom(path), to_16_bits(ramp(), 0, 4095))


PADDINGS = [
    ({"PixelPaddingValue": ("SS", np.int16(-2000).tobytes())}, -2000, -2000),
    ({"PixelPaddingValue": ("US", np.int16(-2000).tobytes())}, -2000, -2000),
    ({"PixelPaddingValue": ("US", np.uint16(-2000 & 0xFFF).tobytes())}, -2000, -2000),
    ({"PixelPaddingValue": ("SL", np.int32(-2000).tobytes())}, -2000, -2000),
    ({"PixelPaddingValue": ("DS", b"-2000 ")}, -2000, -2000),
    ({"PixelPaddingValue": ("OB", np.int16(-2000).tobytes())}, -2000, -2000),
    ({"PixelPaddingValue": ("UN", np.int16(-2000).tobytes())}, -2000, -2000),
    (
        {
            "PixelPaddingValue": ("US", np.int16(-2000).tobytes()),
            "PixelPaddingRangeLimit": ("SS", np.int16(-1990).tobytes()),
        },
        -2000,
        -1990,
    ),
    (
        {
            "PixelPaddingValue": ("SS", np.int16(-1990).tobytes()),
            "PixelPaddingRangeLimit": ("US", np.int16(-2000).tobytes()),
        },
        -2000,
        -1990,
    ),
]


@pytest.mark.parametrize(("padding", "first", "last"), PADDINGS)
@pytest.mark.parametrize("rescale", [{}, {"RescaleSlope": 2, "RescaleIntercept": -1024}])
def test_padding_takes_no_part_in_the_range(
    write: Write, padding: dict[str, tuple[str, bytes]], first: int, last: int, rescale: dict[str, int]
) -> None:
    pixels = ramp(-1000, 1500, np.int16)
    pixels[:, :5], pixels[:, 5:8] = first, last
    read = read_dicom(write(pixels, **padding, **rescale))
    np.testing.assert_array_equal(read, to_16_bits(pixels, pixels[:, 8:].min(), 1500))
    assert (read[:, :8] == 0).all()


def test_empty_padding_is_none(write: Write) -> None:
    path = write(ramp(), PixelPaddingValue=("US", b""))
    np.testing.assert_array_equal(read_dicom(path), to_16_bits(ramp(), 0, 4095))
