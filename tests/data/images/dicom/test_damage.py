"""Damaged files: whatever is wrong, an ImageError of one line comes out, or an image of the header's size."""

import random
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from dentasam.data.images.dicom import file
from dentasam.data.images.dicom.detect import looks_like_dicom
from dentasam.data.images.dicom.read import dicom_header, read_dicom
from dentasam.data.images.header import ImageHeader
from dentasam.data.notices import collected_notices
from dentasam.errors import ImageError

from .dicom_files import Write, ramp

FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
SOURCES = (
    "CT_small.dcm",
    "GDCMJ2K_TextGBR.dcm",
    "JPEG2000.dcm",
    "JPEGLSNearLossless_16.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_rle.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "image_dfl.dcm",
)
# In a process of their own, which takes a while.
BY_GDCM = ("JPGExtended.dcm",)
# Where the headers of the sources end.
HEADER = 3500


def damaged(content: bytes, chance: random.Random) -> bytes:
    """The content with a few bytes changed, mostly in its header, and in some cases cut off."""
    broken = bytearray(content[: chance.randrange(1, len(content))] if chance.random() < 0.25 else content)
    for _ in range(chance.choice((0, 1, 1, 2, 5, 20))):
        place = chance.randrange(len(broken) if chance.random() < 0.4 else min(len(broken), HEADER))
        broken[place] = chance.choice((0, 255, chance.randrange(256), broken[place] ^ 1 << chance.randrange(8)))
    return bytes(broken)


@pytest.mark.parametrize(("name", "times"), [*((name, 25) for name in SOURCES), *((name, 5) for name in BY_GDCM)])
def test_only_image_errors_come_out(name: str, times: int, tmp_path: Path) -> None:
    content, path = (FOLDER / name).read_bytes(), tmp_path / "x.dcm"
    chance = random.Random(name)
    for _ in range(times):
        path.write_bytes(damaged(content, chance))
        looks_like_dicom(path)
        with collected_notices():
            header, read = outcome(dicom_header, path), outcome(read_dicom, path)
        if isinstance(read, str):
            assert read.startswith(str(path))
            assert "\n" not in read
        else:
            assert isinstance(header, ImageHeader)
            assert (header.height, header.width, header.bits) == (*read.shape, 8 * read.itemsize)


def outcome(reading: Callable[[Path], Any], path: Path) -> Any:
    """What is read, or the message of the ImageError; every other error goes through."""
    try:
        return reading(path)
    except ImageError as error:
        return str(error)


def test_a_deflated_bomb_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(ramp(), syntax=DeflatedExplicitVRLittleEndian)
    content = path.read_bytes()
    start = 144 + int.from_bytes(content[140:144], "little")
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = packer.compress(zlib.decompress(content[start:], -zlib.MAX_WBITS)) + packer.compress(bytes(2_000_000))
    path.write_bytes(content[:start] + bomb + packer.flush())
    read_dicom(path)
    monkeypatch.setattr(file, "INFLATED_LIMIT", 1_000_000)
    for reading in (read_dicom, dicom_header):
        with pytest.raises(ImageError, match="unpacks to over 1 MB; export it uncompressed"):
            reading(path)


def test_a_deflated_file_cut_off_is_refused(write: Write) -> None:
    path = write(ramp(), syntax=DeflatedExplicitVRLittleEndian)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ImageError, match="its deflated data end early"):
        read_dicom(path)
