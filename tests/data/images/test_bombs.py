"""Image files made to fill the memory or to take minutes: each is refused with one line, before that."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from dentasam.data.images import strips
from dentasam.data.images.dicom import file, header_limits
from dentasam.data.images.dicom.compression import decoders
from dentasam.data.images.raster import markers, tiff
from dentasam.data.images.read import read_header, read_image
from dentasam.errors import ImageError

from .dicom.dicom_files import ramp, write_dicom

SIDE = 3000
READ = """
import resource, sys
from dentasam.data.images.read import read_image
read_image(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
image = read_image(sys.argv[2])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / image.size)
"""


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(path: Path, *more: bytes) -> Path:
    header = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    content = chunk(b"IDAT", zlib.compress(bytes(72)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(more) + content + chunk(b"IEND", b""))
    return path


def refused(path: Path, reason: str) -> None:
    for read in (read_image, read_header):
        with pytest.raises(ImageError, match=reason) as caught:
            read(path)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)


def test_png_of_too_many_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markers, "MAX_CHUNKS", 50)
    assert read_image(png(tmp_path / "a.png", *[chunk(b"tEXt", b"a\0b")] * 40)).shape == (8, 8)
    refused(png(tmp_path / "b.png", *[chunk(b"tEXt", b"a\0b")] * 60), "chunks")
    refused(png(tmp_path / "c.png", *[chunk(b"IDAT", b"")] * 60), "chunks")


@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt"])
def test_png_with_a_text_that_unpacks_to_much(tmp_path: Path, kind: bytes) -> None:
    bomb = zlib.compress(bytes(8 << 20), 9)
    with pytest.raises(ImageError, match="text or colour profile that is too long; save it again without it"):
        read_image(png(tmp_path / "a.png", chunk(kind, b"name\0\0" + bomb)))


def test_png_that_ends_in_its_header(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0")
    refused(path, "damaged")


def with_scans(path: Path, times: int) -> Path:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(buffer, "JPEG", progressive=True)
    content = buffer.getvalue()
    last = content.rindex(b"\xff\xc4", 0, content.rindex(b"\xff\xda"))
    path.write_bytes(content[:-2] + content[last:-2] * times + b"\xff\xd9")
    return path


def test_jpeg_of_too_many_scans(tmp_path: Path) -> None:
    assert read_image(with_scans(tmp_path / "a.jpg", 0)).shape == (16, 16)
    with pytest.raises(ImageError, match="more than 100 scans"):
        read_image(with_scans(tmp_path / "b.jpg", 200))


def test_tiff_of_a_tile_larger_than_the_image(tmp_path: Path) -> None:
    import tifffile

    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((16, 16), np.uint16), tile=(16, 16), compression="zlib")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as opened:
        places = [opened.pages.first.tags[code].valueoffset for code in (322, 323)]
    for place in places:
        content[place : place + 2] = struct.pack("<H", 60_000)
    path.write_bytes(content)
    refused(path, "unpacks to 7200 MB")


def test_tiff_of_too_many_strips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tifffile

    monkeypatch.setattr(tiff, "MAX_SEGMENTS", 50)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((60, 8), np.uint8), rowsperstrip=1, compression="zlib")
    refused(path, "strips or tiles")


def test_tiff_of_a_jpeg_with_another_size(tmp_path: Path) -> None:
    import tifffile

    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8), compression="jpeg")
    assert read_image(path).shape == (64, 64)
    content = bytearray(path.read_bytes())
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", 60_000, 60_000)
    path.write_bytes(content)
    with pytest.raises(ImageError, match="a strip or tile of 60000 x 60000 pixels"):
        read_image(path)


def deflated(path: Path, middle: bytes) -> Path:
    """A deflated file with further elements, explicit and little-endian, before its pixels."""
    write_dicom(path, ramp(), syntax=DeflatedExplicitVRLittleEndian)
    content = path.read_bytes()
    start = 144 + int.from_bytes(content[140:144], "little")
    body = zlib.decompress(content[start:], -zlib.MAX_WBITS)
    at = body.index(struct.pack("<HH", 0x7FE0, 0x0010))
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    path.write_bytes(content[:start] + packer.compress(body[:at] + middle + body[at:]) + packer.flush())
    return path


def test_deflated_dicom_that_unpacks_to_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "INFLATED_LIMIT", 1 << 20)
    monkeypatch.setattr(file, "INFLATED_AT_ONCE", 1 << 16)
    blob = struct.pack("<HH2sHI", 0x0029, 0x1010, b"OB", 0, 2 << 20) + bytes(2 << 20)
    refused(deflated(tmp_path / "a.dcm", blob), "unpacks to over 1 MB; export it uncompressed")
    assert read_image(deflated(tmp_path / "b.dcm", b"")).shape == (32, 64)


@pytest.mark.parametrize("in_sequence", [False, True])
def test_dicom_of_too_many_elements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_sequence: bool) -> None:
    monkeypatch.setattr(header_limits, "MAX_ELEMENTS", 1000)
    many = b"".join(struct.pack("<HH2sH", 0x0029, 0x1000 + number, b"LO", 0) for number in range(4000))
    if in_sequence:
        item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + many + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
        end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
        many = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF) + item + end
    refused(deflated(tmp_path / "a.dcm", many), "over 1,000 elements")


def test_dicom_with_a_long_sequence_or_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header_limits, "MAX_SEQUENCE_BYTES", 1000)
    monkeypatch.setattr(header_limits, "MAX_VALUE_BYTES", 500)
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 200
    groups = struct.pack("<HH2sHI", 0x5200, 0x9230, b"SQ", 0, len(items)) + items
    refused(deflated(tmp_path / "a.dcm", groups), r"\(5200,9230\) of 1,600 bytes")
    path = write_dicom(tmp_path / "b.dcm", ramp(), syntax=ImplicitVRLittleEndian, WindowCenter=("DS", b"1\\" * 400))
    refused(path, r"\(0028,1050\) of 800 bytes")


def test_dicom_with_sequences_in_sequences(tmp_path: Path) -> None:
    open_item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    nested = (struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF) + open_item) * 5000
    refused(deflated(tmp_path / "a.dcm", nested), "damaged|no pixel data")


def run_lengths(*segments: bytes | bytearray) -> bytes:
    offsets, at = [], 64
    for segment in segments:
        offsets.append(at)
        at += len(segment)
    return struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(segments))) + b"".join(segments)


def test_run_lengths_unpack_to_no_more_than_the_pixels(tmp_path: Path) -> None:
    pixels = ramp(0, 255, np.uint8)
    segment = imagecodecs.packbits_encode(pixels.tobytes())
    options: dict[str, Any] = {"bits": 8, "syntax": RLELossless}
    plain = write_dicom(tmp_path / "a.dcm", pixels, frame=run_lengths(segment), **options)
    long = write_dicom(tmp_path / "b.dcm", pixels, frame=run_lengths(segment + b"\x81\0" * 100_000), **options)
    np.testing.assert_array_equal(read_image(plain), pixels)
    np.testing.assert_array_equal(read_image(long), pixels)
    short = write_dicom(tmp_path / "c.dcm", pixels, frame=run_lengths(segment[:100]), **options)
    with pytest.raises(ImageError, match="2048 are needed"):
        read_image(short)


def test_dicom_of_too_many_fragments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "MAX_FRAGMENTS", 100)
    pixels = ramp(0, 255, np.uint8)
    frame = run_lengths(imagecodecs.packbits_encode(pixels.tobytes()))
    path = write_dicom(tmp_path / "a.dcm", pixels, bits=8, syntax=RLELossless, frame=frame)
    content = path.read_bytes()
    start = content.index(encapsulate([frame])[:8])
    path.write_bytes(content[: start + 8] + struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 200 + content[start + 8 :])
    with pytest.raises(ImageError, match="more than 100 fragments"):
        read_image(path)


def wide_dicom(path: Path, side: int) -> None:
    write_dicom(path, np.tile(np.arange(side, dtype=np.uint16), (side, 1)), bits=16)


def colour_dicom(path: Path, side: int) -> None:
    write_dicom(path, np.zeros((side, side, 3), np.uint8), bits=8)


def wide_colour_png(path: Path, side: int) -> None:
    path.write_bytes(imagecodecs.png_encode(np.full((side, side, 4), 700, np.uint16), level=1))


def gray_alpha_png(path: Path, side: int) -> None:
    path.write_bytes(imagecodecs.png_encode(np.full((side, side, 2), 700, np.uint16), level=1))


def gray_alpha_tiff(path: Path, side: int) -> None:
    import tifffile

    values = np.full((side, side, 2), 700, np.uint16)
    options: dict[str, Any] = {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unassalpha"]}
    tifffile.imwrite(path, values, compression="zlib", rowsperstrip=50, **options)


def integer_tiff(path: Path, side: int) -> None:
    import tifffile

    values = np.tile(np.arange(-5, side - 5, dtype=np.int32) * 1000, (side, 1))
    tifffile.imwrite(path, values, compression="zlib", rowsperstrip=50)


@pytest.mark.parametrize(
    ("write", "suffix", "limit"),
    [
        (wide_dicom, "dcm", 10),
        (colour_dicom, "dcm", 12),
        (wide_colour_png, "png", 20),
        (gray_alpha_png, "png", 10),
        (gray_alpha_tiff, "tif", 10),
        (integer_tiff, "tif", 16),
    ],
)
def test_the_peak_is_a_small_multiple_of_the_image(
    tmp_path: Path, write: Callable[[Path, int], None], suffix: str, limit: float
) -> None:
    paths = [tmp_path / f"{side}.{suffix}" for side in (64, SIDE)]
    for path in paths:
        write(path, int(path.stem))
    command = [sys.executable, "-c", READ, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert float(done.stdout) < limit  # bytes for each pixel


def test_strips_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (3, 37, 41)).astype(np.uint16)
    whole = [strips.converted(values, np.int64, lambda part: part * 3), values[0].astype(np.int64) + values[1]]
    monkeypatch.setattr(strips, "STRIP_PIXELS", 101)
    parts = [
        strips.converted(values, np.int64, lambda part: part * 3),
        strips.combined(values, np.int64, lambda planes: planes[0].astype(np.int64) + planes[1]),
    ]
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)
    assert strips.are_finite(np.zeros((20, 20)))
    assert not strips.are_finite(np.where(np.eye(20, dtype=bool), np.nan, 0))
