"""What `read_image` makes of a TIFF against the values that were written, for every kind that the format knows.

tifffile writes what it can; packed samples, and tags that it would not write, come from `tiff_files`.
"""

import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from dentasam.data.images.read import read_header, read_image
from dentasam.errors import ImageError

from .tiff_files import SHARES, packed, write_tiff

HEIGHT, WIDTH = SHARES.shape
COLOURS = np.stack([SHARES, 1 - SHARES, np.roll(SHARES, 11)], -1)
LUMINANCE = COLOURS @ np.array([0.299, 0.587, 0.114])
INTEGERS = {"u1": 255, "u2": 65535, "u4": 2**32 - 1}


def read(path: Path) -> np.ndarray:
    """The picture as shares of its full width; the header must have told its size and bits."""
    pixels, header = read_image(path), read_header(path)
    assert (header.height, header.width, header.bits) == (*pixels.shape, 8 * pixels.itemsize)
    return pixels / np.iinfo(pixels.dtype).max


def assert_shares(path: Path, wanted: np.ndarray, within: float = 1 / 255) -> None:
    np.testing.assert_allclose(read(path), wanted, rtol=0, atol=within)


def numbers(kind: str) -> np.ndarray:
    if kind in INTEGERS:
        return np.rint(SHARES * INTEGERS[kind]).astype(kind)
    if kind[0] == "i":
        return np.rint((SHARES * 2 - 1) * (2 ** (8 * int(kind[1]) - 1) - 1)).astype(kind)
    return (SHARES * 2.0**63).astype("u8") if kind == "u8" else (SHARES * 3 - 1).astype(kind)


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "f2", "f4", "f8"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_every_number_type(tmp_path: Path, kind: str, order: Any, photometric: Any) -> None:
    wanted = SHARES if photometric == "minisblack" else 1 - SHARES
    path = tmp_path / "x.tif"
    layouts: list[dict[str, Any]] = [
        {},
        {"rowsperstrip": 13},
        {"tile": (16, 32)},
        {"bigtiff": True},
        {"compression": "lzw", "rowsperstrip": 13},
        {"compression": "zlib", "tile": (32, 16)},
        {"compression": "zstd"},
        {"compression": "packbits"},
        {"compression": "lzma"},
    ]
    if kind != "u8":
        layouts += [{"compression": "lzw", "predictor": True}, {"compression": "zlib", "predictor": True}]
    for layout in layouts:
        tifffile.imwrite(path, numbers(kind), byteorder=order, photometric=photometric, **layout)
        assert_shares(path, wanted)


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 9, 10, 12, 14, 15])
@pytest.mark.parametrize("fill_order", [1, 2])
@pytest.mark.parametrize("photometric", [0, 1])
def test_packed_samples(tmp_path: Path, bits: int, fill_order: int, photometric: int) -> None:
    values = np.rint(SHARES * (2**bits - 1)).astype(int)
    wanted = values / (2**bits - 1)
    codecs: dict[int, Any] = {
        1: bytes,
        5: imagecodecs.lzw_encode,
        8: zlib.compress,
        32773: imagecodecs.packbits_encode,
    }
    path = tmp_path / "x.tif"
    for order in "<>":
        for compression, encode in codecs.items():
            data = bytes(encode(packed(values, bits)))
            if fill_order == 2:
                data = bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)
            tags = {258: [bits], 259: [compression], 262: [photometric], 266: [fill_order], 277: [1]}
            write_tiff(path, tags, data, order)
            assert_shares(path, wanted if photometric else 1 - wanted)


@pytest.mark.parametrize("kind", ["u1", "u2"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("alpha", [False, True])
def test_colour_is_luminance(tmp_path: Path, kind: str, planes: Any, alpha: bool) -> None:
    values = np.rint(COLOURS * INTEGERS[kind]).astype(kind)
    if alpha:
        values = np.concatenate([values, np.full((HEIGHT, WIDTH, 1), 77, kind)], -1)
    if planes == "separate":
        values = np.ascontiguousarray(np.moveaxis(values, -1, 0))
    path = tmp_path / "x.tif"
    for layout in ({}, {"tile": (16, 16)}, {"compression": "lzw"}, {"compression": "zlib", "predictor": True}):
        extra = ["unassalpha"] if alpha else None
        tifffile.imwrite(path, values, photometric="rgb", planarconfig=planes, extrasamples=extra, **layout)
        assert_shares(path, LUMINANCE)
        first = read_image(path)
        for _ in range(3):
            np.testing.assert_array_equal(read_image(path), first)


@pytest.mark.parametrize("scale", [1, 256, 257])
def test_palettes_of_8_and_16_bits(tmp_path: Path, scale: int) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (3, 256))
    indices = np.rint(SHARES * 255).astype("u1")
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, indices, photometric="palette", colormap=(colours * scale).astype("u2"))
    assert_shares(path, (np.array([0.299, 0.587, 0.114]) @ colours / 255)[indices])


def test_cmyk_and_gray_with_alpha(tmp_path: Path) -> None:
    inks = np.random.default_rng(2).integers(0, 256, (HEIGHT, WIDTH, 4)).astype("u1")
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, inks, photometric="separated")
    shares = inks / 255
    assert_shares(path, ((1 - shares[..., :3]) * (1 - shares[..., 3:])) @ np.array([0.299, 0.587, 0.114]))
    gray = np.stack([np.rint(SHARES * 65535), np.full((HEIGHT, WIDTH), 9)], -1).astype("u2")
    tifffile.imwrite(path, gray, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"])
    assert_shares(path, SHARES)


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "jpeg"])
def test_compressions_of_faxes_and_jpeg(tmp_path: Path, compression: str) -> None:
    large = np.kron(SHARES[:64, :48], np.ones((4, 4)))
    path = tmp_path / "x.tif"
    if compression != "jpeg":
        Image.fromarray(large > 0.5).save(path, compression=compression)
        assert_shares(path, large > 0.5)
        return
    for mode in ("L", "RGB"):
        Image.fromarray(np.rint(large * 255).astype("u1")).convert(mode).save(path, compression="jpeg", quality=98)
        assert_shares(path, large, 0.02)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("below", [False, True])
def test_a_thumbnail_does_not_hide_the_picture(tmp_path: Path, first: bool, below: bool) -> None:
    full = np.rint(SHARES * 65535).astype("u2")
    small = np.ascontiguousarray(full[::4, ::4])
    pages = [(small, 1), (full, 0)] if first else [(full, 0), (small, 1)]
    path = tmp_path / "x.tif"
    with tifffile.TiffWriter(path) as file:
        for place, (page, kind) in enumerate(pages):
            file.write(page, subfiletype=kind, subifds=1 if below and place == 0 else 0)
    assert_shares(path, SHARES)


def test_several_pages_are_refused(tmp_path: Path) -> None:
    full = np.rint(SHARES * 65535).astype("u2")
    path = tmp_path / "x.tif"
    for pages, says in ((2, "holds 2 pages"), (70, "holds more than 64 pages")):
        tifffile.imwrite(path, np.stack([full] * pages), photometric="minisblack")
        for reader in (read_image, read_header):
            with pytest.raises(ImageError, match=says):
                reader(path)


@pytest.mark.parametrize(
    ("values", "options", "says"),
    [
        (SHARES.astype("c8"), {}, "complex floats of 64 bits"),
        (np.zeros((HEIGHT, WIDTH, 3), "f4"), {"photometric": "rgb"}, "colour image of floats of 32 bits"),
        (np.zeros((HEIGHT, WIDTH, 3), "u1"), {"photometric": "cielab"}, "CIELAB samples"),
        (np.zeros((HEIGHT, WIDTH, 9), "u1"), {"photometric": "minisblack", "planarconfig": "contig"}, "9 channels"),
        (np.zeros((HEIGHT, WIDTH), "u1"), {"compression": "jpeg2000"}, "compressed as JPEG2000"),
    ],
)
def test_what_is_not_read_is_refused_by_its_name(
    tmp_path: Path, values: np.ndarray, options: dict[str, Any], says: str
) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, values, **options)
    for reader in (read_image, read_header):
        with pytest.raises(ImageError, match=says):
            reader(path)


def test_integers_above_half_of_their_range_do_not_wrap(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    for kind, first in (("u4", 2**31 + 7), ("u8", 2**63 + 7), ("i4", -(2**31))):
        values = (first + np.arange(HEIGHT * WIDTH, dtype=object) * 1000).reshape(HEIGHT, WIDTH).astype(kind)
        tifffile.imwrite(path, values, photometric="minisblack")
        assert_shares(path, np.linspace(0, 1, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH))


def test_a_float_that_stands_for_nothing_takes_no_part_in_the_range(tmp_path: Path) -> None:
    values = (SHARES * 4000).astype("f4")
    values[:5] = -1e30
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, values, photometric="minisblack")
    found = read(path)
    assert (found[:5] == 0).all()
    rest = values[5:]
    np.testing.assert_allclose(found[5:], (rest - rest.min()) / (rest.max() - rest.min()), atol=1 / 255)


def test_a_missing_photometric_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "x.tif"
    write_tiff(path, {258: [8], 259: [1], 277: [1]}, np.rint(SHARES * 255).astype("u1").tobytes())
    assert_shares(path, SHARES)
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} does not say whether 0 is black or white; it is taken as black"
    ]
