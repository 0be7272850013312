"""PNG, JPEG and TIFF: the pixels are the same, and nothing else of the source is left."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from dentasam.data.deidentify.codestreams import bare_jpeg
from dentasam.data.deidentify.raster import bare_png
from dentasam.data.deidentify.run import deidentify
from dentasam.data.images.read import read_image

from .planted import bytes_under

SECRET = "Quastenflosser"


def picture(dtype: type = np.uint8, shape: tuple[int, ...] = (40, 60)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def exif() -> Image.Exif:
    made = Image.Exif()
    made[0x010E] = made[0x013B] = SECRET  # description and artist
    made[0x0132] = "2021:06:12 10:11:12"
    made[0x0112] = 6
    return made


def write_jpeg(path: Path, **options: object) -> Path:
    image = Image.fromarray(picture())
    image.save(path, "JPEG", exif=exif(), comment=SECRET.encode(), icc_profile=SECRET.encode(), **options)
    path.write_bytes(path.read_bytes() + b"trailer " + SECRET.encode())
    return path


def write_png(path: Path, pixels: np.ndarray) -> Path:
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", SECRET)
    text.add_text("Comment", SECRET, zip=True)
    text.add_itxt("Title", SECRET)
    image = Image.fromarray(pixels)
    image.save(path, "PNG", pnginfo=text, exif=exif(), dpi=(300, 300))
    content = path.read_bytes()
    last = struct.pack(">I4s", len(SECRET), b"seCr") + SECRET.encode()
    last += struct.pack(">I", zlib.crc32(last[4:]))
    path.write_bytes(content[:-12] + last + content[-12:] + b"trailer " + SECRET.encode())
    return path


def write_tiff(path: Path, pixels: np.ndarray) -> Path:
    tifffile.imwrite(path, pixels, description=SECRET, software=SECRET, extratags=[(315, "s", 0, SECRET, True)])
    return path


def copied(path: Path, tmp_path: Path) -> Path:
    """The copy, which shows the same picture and holds nothing of the secret."""
    assert SECRET.encode() in path.read_bytes()
    outcome = deidentify(path, tmp_path / "out")
    assert outcome.failed == []
    made = tmp_path / "out" / outcome.delivered[0]
    np.testing.assert_array_equal(read_image(made), read_image(path))
    assert SECRET.lower().encode() not in bytes_under(tmp_path / "out").lower()
    assert path.stem not in bytes_under(tmp_path / "out").decode("latin-1")
    return made


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}, {"restart_marker_blocks": 2}])
def test_jpeg(tmp_path: Path, options: dict[str, object]) -> None:
    made = copied(write_jpeg(tmp_path / "Mueller_Anna_1937.jpg", **options), tmp_path)
    assert made.suffix == ".jpg"
    with Image.open(made) as image:
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_density", "jfif_unit", "progressive", "progression"}


def test_jpeg_in_colour_decodes_to_the_same_colours(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    Image.fromarray(picture(shape=(40, 60, 3))).save(path, "JPEG", exif=exif())
    content, found = bare_jpeg(path.read_bytes())
    (tmp_path / "y.jpg").write_bytes(content)
    np.testing.assert_array_equal(Image.open(tmp_path / "y.jpg"), Image.open(path))
    assert found == ["APP1"]


@pytest.mark.parametrize(
    "pixels",
    [picture(), picture(np.uint16), picture(shape=(40, 60, 3)), picture(shape=(40, 60, 4)), picture(np.uint16) // 16],
    ids=["8", "16", "colour", "alpha", "12"],
)
def test_png(tmp_path: Path, pixels: np.ndarray) -> None:
    made = copied(write_png(tmp_path / "Mueller_Anna_1937.png", pixels), tmp_path)
    with Image.open(made) as image:
        assert image.info == {}
        np.testing.assert_array_equal(np.asarray(image), pixels)


def test_png_with_a_palette(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    image = Image.fromarray(picture(shape=(40, 60, 3))).quantize(16)
    image.save(path, transparency=3)
    content, _ = bare_png(path.read_bytes())
    (tmp_path / "y.png").write_bytes(content)
    np.testing.assert_array_equal(Image.open(tmp_path / "y.png").convert("RGBA"), Image.open(path).convert("RGBA"))


def test_bytes_behind_the_packed_pixels(tmp_path: Path) -> None:
    path = tmp_path / "Mueller_Anna_1937.png"
    Image.fromarray(picture()).save(path)
    content = path.read_bytes()
    body = b"IDAT" + SECRET.encode()
    hidden = struct.pack(">I", len(SECRET)) + body + struct.pack(">I", zlib.crc32(body))
    path.write_bytes(content[:-12] + hidden + content[-12:])
    copied(path, tmp_path)


@pytest.mark.parametrize(
    "pixels", [picture(), picture(np.uint16), picture(np.int16), picture().astype(np.float32)], ids=lambda p: p.dtype
)
def test_tiff_becomes_png(tmp_path: Path, pixels: np.ndarray) -> None:
    made = copied(write_tiff(tmp_path / "Mueller_Anna_1937.tif", pixels), tmp_path)
    assert made.suffix == ".png"


@settings(max_examples=40)
@given(st.data())
def test_damaged_files_raise_value_errors_alone(data: st.DataObject) -> None:
    file = BytesIO()
    kind = data.draw(st.sampled_from(["PNG", "JPEG"]))
    Image.fromarray(picture()).save(file, kind)
    content = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(8, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(9, len(content)))])
    try:
        made, _ = bare_png(cut) if kind == "PNG" else bare_jpeg(cut)
    except (ValueError, struct.error, zlib.error, IndexError):
        return
    assert len(made) <= len(content) + 64
