"""PNG of every depth and colour type, interlaced or not, and JPEG, against the values that were written."""

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from dentasam.data.images.read import read_header, read_image
from dentasam.errors import ImageError

from .tiff_files import SHARES, packed

HEIGHT, WIDTH = SHARES.shape
COLOURS = np.stack([SHARES, 1 - SHARES, np.roll(SHARES, 11)], -1)
WEIGHTS = np.array([0.299, 0.587, 0.114])
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
LARGE = np.kron(SHARES[:64, :48], np.ones((4, 4)))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def rows(values: np.ndarray, bits: int) -> bytes:
    flat = values.reshape(len(values), -1)
    return b"".join(b"\0" + packed(row[None], bits) for row in flat)


def interlaced(values: np.ndarray, bits: int) -> bytes:
    parts = [values[top::down, left::right] for top, left, down, right in ADAM7]
    return b"".join(rows(part, bits) for part in parts if part.size)


def write_png(path: Path, values: np.ndarray, bits: int, colour: int, adam7: bool, before: bytes = b"") -> None:
    data = (interlaced if adam7 else rows)(values, bits)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, colour, 0, 0, int(adam7))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + before
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


def assert_shares(path: Path, wanted: np.ndarray, within: float = 1 / 255) -> None:
    pixels, header = read_image(path), read_header(path)
    assert (header.height, header.width, header.bits) == (*pixels.shape, 8 * pixels.itemsize)
    np.testing.assert_allclose(pixels / np.iinfo(pixels.dtype).max, wanted, rtol=0, atol=within)


@pytest.mark.parametrize("adam7", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("before", [b"", chunk(b"tRNS", struct.pack(">H", 1))])
def test_gray(tmp_path: Path, bits: int, adam7: bool, before: bytes) -> None:
    values = np.rint(SHARES * (2**bits - 1)).astype(int)
    path = tmp_path / "x.png"
    write_png(path, values, bits, GRAY, adam7, before)
    assert_shares(path, values / (2**bits - 1), 1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("adam7", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
def test_colour_and_alpha(tmp_path: Path, bits: int, adam7: bool) -> None:
    values = np.rint(COLOURS * (2**bits - 1)).astype(int)
    alpha = np.full((HEIGHT, WIDTH, 1), 50)
    path = tmp_path / "x.png"
    transparent = chunk(b"tRNS", struct.pack(">HHH", *values[3, 3]))
    for before in (b"", transparent):
        write_png(path, values, bits, RGB, adam7, before)
        assert_shares(path, COLOURS @ WEIGHTS)
    write_png(path, np.concatenate([values, alpha], -1), bits, RGBA, adam7)
    assert_shares(path, COLOURS @ WEIGHTS)
    write_png(path, np.concatenate([values[..., :1], alpha], -1), bits, GRAY_ALPHA, adam7)
    assert_shares(path, SHARES)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("transparent", [False, True])
def test_palettes(tmp_path: Path, bits: int, transparent: bool) -> None:
    colours = np.random.default_rng(bits).integers(0, 256, (2**bits, 3))
    values = np.rint(SHARES * (2**bits - 1)).astype(int)
    path = tmp_path / "x.png"
    before = chunk(b"PLTE", colours.astype(np.uint8).tobytes())
    write_png(path, values, bits, PALETTE, False, before + transparent * chunk(b"tRNS", bytes(2**bits)))
    assert_shares(path, (colours @ WEIGHTS / 255)[values])


def test_an_animation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    frames = [Image.fromarray(np.full((6, 8), value, np.uint8)) for value in (0, 200)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    for reader in (read_image, read_header):
        with pytest.raises(ImageError, match=r"x\.png is an animation of 2 frames"):
            reader(path)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg(tmp_path: Path, mode: str, progressive: bool) -> None:
    image = Image.fromarray(np.rint(LARGE * 255).astype(np.uint8)).convert("RGB").convert(mode)
    path = tmp_path / "x.jpg"
    image.save(path, quality=98, progressive=progressive)
    assert_shares(path, LARGE, 0.03)


@pytest.mark.parametrize(
    ("encode", "says"),
    [
        (lambda gray: imagecodecs.jpeg_encode((gray * 4095).astype("u2"), bitspersample=12), "12 bits"),
        (lambda gray: imagecodecs.jpegls_encode((gray * 255).astype("u1")), "JPEG-LS"),
        (lambda gray: imagecodecs.ljpeg_encode((gray * 255).astype("u1")), "lossless"),
    ],
)
def test_a_coding_that_is_not_read_is_named(tmp_path: Path, encode: Callable[[np.ndarray], bytes], says: str) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(encode(LARGE))
    for reader in (read_image, read_header):
        with pytest.raises(ImageError, match=rf"x\.jpg is a JPEG file of a kind that is not read \({says}\)"):
            reader(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("texture", ["noise", "ramp"])
def test_a_cut_file_has_no_header_where_it_has_no_pixels(tmp_path: Path, kind: str, texture: str) -> None:
    """Whatever is listed by its header can be opened, and what can be opened is listed."""
    noise = np.random.default_rng(0).integers(0, 255, (60, 120), dtype=np.uint8)
    ramp = (np.add.outer(np.arange(60), np.arange(120)) // 2).astype(np.uint8)
    path = tmp_path / f"cut.{kind.lower()}"
    Image.fromarray(noise if texture == "noise" else ramp).save(path)
    content = path.read_bytes()
    outcomes = set()
    for cut in [*range(40), 100, len(content) // 2, len(content) - 60]:
        path.write_bytes(content[: len(content) - cut])
        readable = [_reads(reader, path) for reader in (read_header, read_image)]
        assert readable[0] == readable[1], cut
        outcomes.add(readable[0])
    assert outcomes == {True, False}


def test_data_after_the_end_of_a_jpeg_do_not_hide_it(tmp_path: Path) -> None:
    path = tmp_path / "scan.jpg"
    Image.fromarray(np.full((20, 30), 90, np.uint8)).save(path)
    path.write_bytes(path.read_bytes() + b"device data" * 10_000)
    assert (read_header(path).height, read_header(path).width) == (20, 30)


def _reads(reader: Callable[[Path], object], path: Path) -> bool:
    try:
        reader(path)
    except ImageError:
        return False
    return True


def test_a_malformed_mpf_segment_is_passed_over_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray((SHARES * 255).astype(np.uint8)).save(path)
    entries = b"MM\0*\0\0\0\x08\0\1\xb0\x01\0\4\xff\xff\xff\xff\0\0\0\0" + b"\0" * 14
    content = path.read_bytes()
    path.write_bytes(
        content[:2] + b"\xff\xe2" + struct.pack(">H", len(entries) + 6) + b"MPF\0" + entries + content[2:]
    )
    # Without the filters of pytest, as the command has them.
    code = "import sys; from pathlib import Path; from dentasam.data.images.read import read_image\n"
    code += "print(read_image(Path(sys.argv[1])).shape)"
    ran = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.strip() == str(SHARES.shape)
    assert ran.stderr == ""
