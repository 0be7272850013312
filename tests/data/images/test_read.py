"""Raster images against Pillow, OpenCV and plain arithmetic."""

import io
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from dentasam.data.images.read import image_size, read_image
from dentasam.data.images.size_limit import PIXEL_LIMIT
from dentasam.errors import ImageError


@pytest.fixture
def gray8() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 33), dtype=np.uint8)


@pytest.fixture
def gray16() -> np.ndarray:
    pixels = np.random.default_rng(1).integers(0, 65536, (20, 33), dtype=np.uint16)
    pixels[0, :2] = 0, 65535
    return pixels


@pytest.mark.parametrize("suffix", ["png", "tif", "tiff"])
def test_lossless_gray_keeps_every_value(tmp_path: Path, gray8: np.ndarray, gray16: np.ndarray, suffix: str) -> None:
    for pixels in (gray8, gray16):
        path = tmp_path / f"{pixels.dtype}.{suffix}"
        Image.fromarray(pixels).save(path)
        read = read_image(path)
        assert read.dtype == pixels.dtype
        np.testing.assert_array_equal(read, pixels)
        assert image_size(path) == (20, 33)


def test_jpeg_equals_pillow(tmp_path: Path, gray8: np.ndarray) -> None:
    path = tmp_path / "x.jpg"
    Image.fromarray(gray8).save(path)
    np.testing.assert_array_equal(read_image(path), np.asarray(Image.open(path)))


def test_big_endian_tiff_comes_in_native_order(tmp_path: Path, gray16: np.ndarray) -> None:
    path = tmp_path / "x.tif"
    Image.fromarray(gray16.astype(">u2")).save(path)
    read = read_image(path)
    assert read.dtype == np.uint16
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, gray16)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "1"])
def test_gray_in_every_channel_comes_back_as_it_was(tmp_path: Path, gray8: np.ndarray, mode: str) -> None:
    image = Image.fromarray(gray8 if mode != "1" else (gray8 > 127).astype(np.uint8) * 255).convert(mode)
    if mode in ("RGBA", "LA"):
        image.putalpha(Image.fromarray(255 - gray8))
    path = tmp_path / "x.png"
    image.save(path)
    expected = gray8 if mode != "1" else (gray8 > 127) * 255
    np.testing.assert_array_equal(read_image(path), expected)


def test_palette_with_transparency_is_read_without_it(tmp_path: Path) -> None:
    image = Image.new("P", (4, 3), 1)
    image.putpalette([0, 0, 0, 90, 90, 90])
    path = tmp_path / "x.png"
    image.save(path, transparency=1)
    np.testing.assert_array_equal(read_image(path), np.full((3, 4), 90))


def test_colour_becomes_luminance(tmp_path: Path) -> None:
    colour = np.random.default_rng(2).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    path = tmp_path / "x.png"
    Image.fromarray(colour).save(path)
    exact = colour @ np.array([0.299, 0.587, 0.114])
    assert np.abs(read_image(path) - exact).max() <= 0.51


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_colour_of_16_bits_keeps_16_bits(tmp_path: Path, suffix: str, channels: int) -> None:
    blue_first = np.random.default_rng(3).integers(0, 65536, (9, 7, channels), dtype=np.uint16)
    path = tmp_path / f"x.{suffix}"
    cv2.imwrite(str(path), blue_first)
    exact = blue_first[..., :3] @ np.array([0.114, 0.587, 0.299])
    read = read_image(path)
    assert read.dtype == np.uint16
    assert np.abs(read - exact).max() <= 0.51


def test_16_bit_gray_in_all_channels_is_exact(tmp_path: Path, gray16: np.ndarray) -> None:
    path = tmp_path / "x.png"
    cv2.imwrite(str(path), np.repeat(gray16[..., None], 3, axis=2))
    np.testing.assert_array_equal(read_image(path), gray16)


def test_tiff_with_white_as_zero_is_turned(tmp_path: Path, gray16: np.ndarray) -> None:
    path = tmp_path / "x.tif"
    Image.fromarray(gray16).save(path, tiffinfo={262: 0})
    with TiffImageFile(path) as written:
        assert written.tag_v2[262] == 0
    np.testing.assert_array_equal(read_image(path), 65535 - gray16)


def test_float_tiff_is_stretched_over_its_range(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    Image.fromarray(np.array([[-1.0, 0.0], [1.0, 3.0]], np.float32)).save(path)
    np.testing.assert_array_equal(read_image(path), [[0, 16384], [32768, 65535]])


def test_wide_integers_do_not_wrap(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    Image.fromarray(np.array([[0, 4095], [65535, 7]], np.int32)).save(path)
    np.testing.assert_array_equal(read_image(path), [[0, 4095], [65535, 7]])
    Image.fromarray(np.array([[0, 50_000], [100_000, 100_000]], np.int32)).save(path)
    np.testing.assert_array_equal(read_image(path), [[0, 32768], [65535, 65535]])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_float_tiff_that_is_not_finite_is_refused(tmp_path: Path, value: float) -> None:
    path = tmp_path / "x.tif"
    Image.fromarray(np.array([[0.0, value]], np.float32)).save(path)
    with pytest.raises(ImageError, match=r"x\.tif holds NaN or infinite pixels; .*save it again"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_a_truncated_file_is_named(tmp_path: Path, suffix: str, share: float) -> None:
    pixels = np.random.default_rng(4).integers(0, 256, (60, 80), dtype=np.uint8)
    path = tmp_path / f"cut.{suffix}"
    Image.fromarray(pixels).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ImageError) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty; copy it again"),
        (b"hello, I am no image", "is not a PNG, JPEG, TIFF or DICOM image; convert"),
        (b"GIF89a" + bytes(200), "is not a PNG, JPEG, TIFF or DICOM image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "is not a PNG, JPEG, TIFF or DICOM image"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(content)
    for read in (read_image, image_size):
        with pytest.raises(ImageError, match=says):
            read(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="does not exist; check the path"):
        read_image(tmp_path / "none.png")
    with pytest.raises(ImageError, match="is a folder; name an image file"):
        read_image(tmp_path)
    with pytest.raises(ImageError):
        read_image("a\0b.png")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for read in (read_image, image_size):
        with pytest.raises(ImageError, match=r"pipe\.png is a pipe or a device; name an image file"):
            read(tmp_path / "pipe.png")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [10_001, 60_000])
def test_a_bomb_is_refused_by_its_header(tmp_path: Path, side: int) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    path = tmp_path / "bomb.png"
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")))
    assert side * side > PIXEL_LIMIT
    for read in (read_image, image_size):
        with pytest.raises(ImageError, match=r"bomb\.png has .*100 megapixels; shrink it"):
            read(path)


def test_pages_are_refused(tmp_path: Path, gray8: np.ndarray) -> None:
    path = tmp_path / "x.tif"
    page = Image.fromarray(gray8)
    page.save(path, save_all=True, append_images=[page, page])
    with pytest.raises(ImageError, match="holds 3 pages; save the radiograph as a file of one page"):
        read_image(path)


def test_a_wrong_suffix_does_not_matter(tmp_path: Path, gray8: np.ndarray) -> None:
    coded = io.BytesIO()
    Image.fromarray(gray8).save(coded, "PNG")
    path = tmp_path / "x.jpg"
    path.write_bytes(coded.getvalue())
    np.testing.assert_array_equal(read_image(path), gray8)
