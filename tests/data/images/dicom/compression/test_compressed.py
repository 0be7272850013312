"""Every compression of still images: the pixels before it are the oracle of those after it."""

import base64
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import gdcm
import jpeg_ls
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    MPEG2MPML,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from dentasam.data.images.dicom.read import dicom_header, read_dicom
from dentasam.data.notices import collected_notices
from dentasam.errors import ImageError

from ..dicom_files import Write, ramp, to_16_bits

# `ramp()` as HTJ2K, 16 bits, written by OpenJPH.
HTJ2K_RAMP = base64.b64decode(
    "/0//UQApQAAAAABAAAAAIAAAAAAAAAAAAAAAQAAAACAAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCI"
    "kJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAPYAAf+TwAAqANn2R/YBQjQAwAASwAAVAMgA"
    "ITQASlJJ/gDiNADAABNAABWAQvyAAnQAIikSkYjkACEAp1YAwAATwAAWqAAA5qfCdQCOdMQRRxxxxBFH/ugUoHv2UoHsugDAABVw"
    "AAXTAAAAAPn4p6enQngAPvrw4cOHDx8+fPjw4cOHDx8+/v9MAQgHv2QgHv2QgHv2QgHsswHAACugABd8AAD+v9T09PT09PTyfAD+"
    "fr/f7/f7/X6/3+/3+/1+v9/v9/v9fr/f7/f7/32whAe/YhAe/YhAe/YhAe/YhAe/YhAe/YhAe/YhAeyyAv/Z"
)


def jpeg_2000(pixels: np.ndarray, **options: object) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG2000", no_jp2=True, **options)
    return file.getvalue()


def jpeg(pixels: np.ndarray, **options: object) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=97, **options)
    return file.getvalue()


def encode_jpeg_ls(pixels: np.ndarray, bits: int, error: int = 0, mode: int | None = None) -> bytes:
    samples = 1 if pixels.ndim == 2 else 3
    if mode == 0:
        pixels = np.moveaxis(pixels, -1, 0)
    content = np.ascontiguousarray(pixels).tobytes()
    return bytes(jpeg_ls.encode_buffer(content, 32, 64, samples, bits, error, mode))


def by_gdcm(path: Path, syntax: int) -> Path:
    """The file compressed by GDCM."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return path


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize(
    "syntax", [gdcm.TransferSyntax.JPEGLosslessProcess14, gdcm.TransferSyntax.JPEGLosslessProcess14_1]
)
def test_jpeg_lossless(write: Write, bits: int, syntax: int) -> None:
    pixels = ramp(0, (1 << bits) - 1, np.uint8 if bits == 8 else np.uint16)
    path = write(pixels, bits=bits)
    expected = read_dicom(path)
    np.testing.assert_array_equal(read_dicom(by_gdcm(path, syntax)), expected)


@pytest.mark.parametrize("bits", [12, 16])
def test_signed_jpeg_lossless(write: Write, bits: int) -> None:
    pixels = ramp(-(1 << (bits - 1)), (1 << (bits - 1)) - 1, np.int16)
    path = by_gdcm(write(pixels, bits=bits), gdcm.TransferSyntax.JPEGLosslessProcess14_1)
    np.testing.assert_array_equal(read_dicom(path), to_16_bits(pixels, pixels.min(), pixels.max()))


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_jpeg_ls(write: Write, bits: int) -> None:
    pixels = ramp(0, (1 << bits) - 1, np.uint8 if bits == 8 else np.uint16)
    frame = encode_jpeg_ls(pixels, bits)
    path = write(pixels, bits=bits, syntax=JPEGLSLossless, frame=frame)
    expected = pixels if bits == 8 else to_16_bits(pixels, 0, (1 << bits) - 1)
    np.testing.assert_array_equal(read_dicom(path), expected)


@pytest.mark.parametrize("depth", [12, 16])
def test_signed_jpeg_ls(write: Write, depth: int) -> None:
    """JPEG-LS knows no sign: BitsStored says where it is, whether the image keeps 12 bits or whole cells."""
    pixels = ramp(-2048, 2047, np.int16)
    cells = (pixels.astype(int) & ((1 << depth) - 1)).astype(np.uint16)
    frame = encode_jpeg_ls(cells, depth)
    read = read_dicom(write(pixels, bits=12, syntax=JPEGLSLossless, frame=frame))
    np.testing.assert_array_equal(read, to_16_bits(pixels, -2048, 2047))


def test_near_lossless_jpeg_ls_overshoots_without_wrapping(write: Write) -> None:
    pixels = ramp()
    cells = np.minimum(pixels + np.uint16(3), 4099)
    frame = encode_jpeg_ls(cells, 16)
    read = read_dicom(write(pixels, bits=12, syntax=JPEGLSNearLossless, frame=frame))
    np.testing.assert_array_equal(read, to_16_bits(np.minimum(cells, 4095), 3, 4095))


def test_near_lossless_jpeg_ls(write: Write) -> None:
    frame = encode_jpeg_ls(ramp(), 12, error=4)
    read = read_dicom(write(ramp(), bits=12, syntax=JPEGLSNearLossless, frame=frame))
    np.testing.assert_allclose(read, to_16_bits(ramp(), 0, 4095), atol=12 / 4095 * 65535)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEG2000])
def test_jpeg_2000(write: Write, syntax: str) -> None:
    eight = ramp(0, 255, np.uint8)
    np.testing.assert_array_equal(read_dicom(write(eight, bits=8, syntax=syntax, frame=jpeg_2000(eight))), eight)
    frame = jpeg_2000(ramp())
    read = read_dicom(write(ramp(), bits=16, syntax=syntax, frame=frame))
    np.testing.assert_array_equal(read, to_16_bits(ramp(), 0, 4095))


@pytest.mark.parametrize("bits", [12, 16])
def test_signed_jpeg_2000(write: Write, bits: int) -> None:
    pixels = ramp(-2000, 2000, np.int16)
    path = by_gdcm(write(pixels, bits=bits), gdcm.TransferSyntax.JPEG2000Lossless)
    np.testing.assert_array_equal(read_dicom(path), to_16_bits(pixels, -2000, 2000))


def test_htj2k(write: Write) -> None:
    path = write(ramp(), bits=16, syntax=HTJ2KLossless, frame=HTJ2K_RAMP)
    np.testing.assert_array_equal(read_dicom(path), to_16_bits(ramp(), 0, 4095))


GRAY = ramp(0, 255, np.uint8)
COLOUR = np.stack([GRAY, GRAY[::-1], GRAY[:, ::-1]], axis=-1)
LUMINANCE = COLOUR @ np.array([0.299, 0.587, 0.114])


def test_jpeg_of_8_bits(write: Write) -> None:
    read = read_dicom(write(GRAY, bits=8, syntax=JPEGBaseline8Bit, frame=jpeg(GRAY)))
    np.testing.assert_allclose(read, GRAY, atol=3)


def test_a_jpeg_that_overshoots_the_stored_bits_does_not_wrap(write: Write) -> None:
    """A file of 7 bits of 8, whose lossy image goes a little beyond 127."""
    pixels = np.minimum(GRAY, np.uint8(130))
    read = read_dicom(write(GRAY, bits=7, syntax=JPEGBaseline8Bit, frame=jpeg(pixels)))
    np.testing.assert_allclose(read, np.minimum(pixels, 127) / 127 * 255, atol=6)


@pytest.mark.parametrize("says", ["YBR_FULL_422", "YBR_FULL", "RGB"])
def test_colour_jpeg(write: Write, says: str) -> None:
    """What Pillow writes is YBR and marked so, which overrules a header that says RGB."""
    smooth = np.stack([GRAY, 255 - GRAY, GRAY // 2], axis=-1)
    path = write(COLOUR, bits=8, PhotometricInterpretation=says, syntax=JPEGBaseline8Bit, frame=jpeg(smooth))
    np.testing.assert_allclose(read_dicom(path), smooth @ np.array([0.299, 0.587, 0.114]), atol=3)


def test_rgb_in_jpeg(write: Write) -> None:
    smooth = np.stack([GRAY, 255 - GRAY, GRAY // 2], axis=-1)
    frame = jpeg(smooth, keep_rgb=True)
    path = write(COLOUR, bits=8, PhotometricInterpretation="RGB", syntax=JPEGBaseline8Bit, frame=frame)
    np.testing.assert_allclose(read_dicom(path), smooth @ np.array([0.299, 0.587, 0.114]), atol=3)


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_colour_jpeg_ls(write: Write, mode: int) -> None:
    frame = encode_jpeg_ls(COLOUR, 8, mode=mode)
    path = write(COLOUR, bits=8, syntax=JPEGLSLossless, frame=frame)
    np.testing.assert_array_equal(read_dicom(path), np.rint(LUMINANCE))


@pytest.mark.parametrize("says", ["RGB", "YBR_RCT"])
def test_colour_jpeg_2000(write: Write, says: str) -> None:
    frame = jpeg_2000(COLOUR, mct=1)
    path = write(COLOUR, bits=8, PhotometricInterpretation=says, syntax=JPEG2000Lossless, frame=frame)
    np.testing.assert_array_equal(read_dicom(path), np.rint(LUMINANCE))


def test_colour_jpeg_lossless(write: Write) -> None:
    path = by_gdcm(write(COLOUR, bits=8), gdcm.TransferSyntax.JPEGLosslessProcess14_1)
    np.testing.assert_array_equal(read_dicom(path), np.rint(LUMINANCE))


def test_padding_after_the_image(write: Write) -> None:
    for end in (b"\xff", b"\0"):
        frame = encode_jpeg_ls(ramp(), 12) + end
        read = read_dicom(write(ramp(), syntax=JPEGLSLossless, frame=frame))
        np.testing.assert_array_equal(read, to_16_bits(ramp(), 0, 4095))


@pytest.mark.parametrize(
    ("syntax", "frame"),
    [
        (JPEGLSLossless, encode_jpeg_ls(ramp(), 12)),
        (JPEG2000Lossless, jpeg_2000(ramp())),
        (JPEGBaseline8Bit, jpeg(GRAY)),
    ],
)
def test_a_size_other_than_the_headers_is_refused_before_decoding(
    write: Write, syntax: str, frame: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for decoder in ("jpeg_ls.decode_pixel_data", "PIL.Image.open"):
        monkeypatch.setattr(decoder, lambda *_, **__: pytest.fail("decoded"))
    bits = 8 if syntax == JPEGBaseline8Bit else 16
    path = write(GRAY if bits == 8 else ramp(), bits=bits, syntax=syntax, frame=frame, Rows=16)
    for reading in (read_dicom, dicom_header):
        with pytest.raises(ImageError, match=r"64 x 32 x 1 samples, its header says 64 x 16 x 1"):
            reading(path)


def test_a_compression_that_is_not_read_is_named(write: Write) -> None:
    path = write(GRAY, bits=8, syntax=MPEG2MPML, frame=bytes(100))
    for reading in (read_dicom, dicom_header):
        with pytest.raises(
            ImageError, match=r"has the transfer syntax MPEG2 Main Profile / Main Level, which is not read; export"
        ):
            reading(path)
    # A hierarchical image (SOF5) under a name of the family that is read.
    hierarchical = jpeg(GRAY).replace(b"\xff\xc0", b"\xff\xc5")
    path = write(GRAY, bits=8, syntax=JPEGExtended12Bit, frame=hierarchical)
    for reading in (read_dicom, dicom_header):
        with pytest.raises(ImageError, match=r"is compressed as JPEG \(SOF5\) of 8 bits, which is not read"):
            reading(path)


def test_compressed_pixels_under_an_uncompressed_syntax(write: Write) -> None:
    frame = encode_jpeg_ls(ramp(), 12)
    path = write(ramp(), syntax=JPEGLSLossless, frame=frame)
    content = path.read_bytes()
    wrong = content.replace(b"1.2.840.10008.1.2.4.80", b"1.2.840.10008.1.2.1\0\0\0")
    path.write_bytes(wrong)
    for reading in (read_dicom, dicom_header):
        with pytest.raises(ImageError, match=r"is compressed, its header says Explicit VR Little Endian"):
            reading(path)


def test_uncompressed_pixels_under_a_compressed_syntax(write: Write) -> None:
    path = write(ramp())
    content = path.read_bytes()
    path.write_bytes(content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0"))
    for reading in (read_dicom, dicom_header):
        with pytest.raises(ImageError, match=r"is not compressed, its header says RLE Lossless; export it again"):
            reading(path)


@pytest.mark.parametrize("fragments", [2, 5])
def test_an_image_in_several_fragments(write: Write, fragments: int) -> None:
    path = write(ramp(), syntax=JPEGLSLossless, frame=encode_jpeg_ls(ramp(), 12))
    header = pydicom.dcmread(path)
    header.PixelData = encapsulate([encode_jpeg_ls(ramp(), 12)], fragments_per_frame=fragments)
    header["PixelData"].is_undefined_length = True
    header.save_as(path)
    np.testing.assert_array_equal(read_dicom(path), to_16_bits(ramp(), 0, 4095))
    assert dicom_header(path).height == 32


def test_a_decoder_that_ends_its_process_is_an_error_of_the_file(write: Write) -> None:
    """GDCM aborts on this one: a table of codes that does not fit the image."""
    path = by_gdcm(write(ramp()), gdcm.TransferSyntax.JPEGLosslessProcess14_1)
    content = bytearray(path.read_bytes())
    tables = content.index(b"\xff\xc4")
    content[tables + 1] = 0xEF
    path.write_bytes(content)
    with collected_notices(), pytest.raises(ImageError, match="its JPEG image cannot be decoded"):
        read_dicom(path)


def test_gdcm_and_torch_live_in_one_process(write: Write) -> None:
    path = by_gdcm(write(ramp()), gdcm.TransferSyntax.JPEGLosslessProcess14)
    script = (
        "import sys, torch, gdcm\n"
        "from pathlib import Path\n"
        "from dentasam.data.images.dicom.read import read_dicom\n"
        "pixels = read_dicom(Path(sys.argv[1]))\n"
        "print(int(torch.from_numpy(pixels.astype('int64')).sum()))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) == to_16_bits(ramp(), 0, 4095).sum()
