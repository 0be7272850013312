"""Cut and altered TIFF, PNG and JPEG files: an ImageError, or one picture at every reading, and no part of one."""

import random
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from dentasam.data.images.read import read_header, read_image
from dentasam.data.images.size_limit import PIXEL_LIMIT
from dentasam.errors import ImageError

from .tiff_files import ASCII, SHORT, write_tiff

PIXELS = np.random.default_rng(0).integers(0, 65536, (40, 48)).astype("u2")
EIGHT = (PIXELS >> 8).astype("u1")
LAYOUTS: dict[str, dict[str, Any]] = {
    "strips": {"rowsperstrip": 9},
    "lzw": {"compression": "lzw", "rowsperstrip": 9},
    "zlib tiles": {"compression": "zlib", "tile": (16, 16)},
    "packbits": {"compression": "packbits"},
    "zstd": {"compression": "zstd"},
    "lzma": {"compression": "lzma"},
}


def files(tmp_path: Path) -> dict[str, Path]:
    made = {}
    for name, layout in LAYOUTS.items():
        made[name] = tmp_path / f"{name}.tif"
        tifffile.imwrite(made[name], PIXELS, **layout)
    made["planes"] = tmp_path / "planes.tif"
    tifffile.imwrite(made["planes"], np.stack([PIXELS] * 3), photometric="rgb", planarconfig="separate")
    for compression in ("jpeg", "group3", "group4"):
        made[compression] = tmp_path / f"{compression}.tif"
        page = EIGHT if compression == "jpeg" else EIGHT > 120
        Image.fromarray(page).save(made[compression], compression=compression)
    for suffix in ("png", "jpg"):
        made[suffix] = tmp_path / f"x.{suffix}"
        Image.fromarray(EIGHT).save(made[suffix])
    made["wide png"] = tmp_path / "wide.png"
    cv2.imwrite(str(made["wide png"]), np.stack([PIXELS] * 3, -1))
    return made


def read_or_refused(path: Path) -> np.ndarray | None:
    """The picture, None where it is refused in one line that names the file."""
    refusal = ""
    try:
        return read_image(path)
    except ImageError as error:
        refusal = str(error)
    assert str(path) in refusal
    assert "\n" not in refusal
    return None


def test_a_cut_file_is_refused_or_whole(tmp_path: Path) -> None:
    for path in files(tmp_path).values():
        whole, picture = path.read_bytes(), read_image(path)
        for cut in np.linspace(1, len(whole) - 1, 25).astype(int):
            path.write_bytes(whole[:cut])
            read = read_or_refused(path)
            if read is not None:
                np.testing.assert_array_equal(read, picture)


def test_altered_bytes_never_give_two_pictures(tmp_path: Path) -> None:
    chance = random.Random(5)
    for path in files(tmp_path).values():
        whole = path.read_bytes()
        for _ in range(40):
            altered = bytearray(whole)
            for _ in range(chance.randint(1, 6)):
                altered[chance.randrange(len(altered))] = chance.randrange(256)
            path.write_bytes(bytes(altered))
            read = read_or_refused(path)
            if read is None:
                continue
            np.testing.assert_array_equal(read_image(path), read)
            header = read_header(path)
            assert (header.height, header.width, header.bits) == (*read.shape, 8 * read.itemsize)


def test_a_huge_tiff_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tif"
    write_tiff(path, {258: [8], 259: [8], 262: [1], 277: [1]}, b"x\x9c\x03\x00\x00\x00\x00\x01")
    start = path.read_bytes()
    for code in (256, 257):
        entry = code.to_bytes(2, "little") + b"\4\0\1\0\0\0"
        at = start.index(entry) + len(entry)
        start = start[:at] + (60_000).to_bytes(4, "little") + start[at + 4 :]
    path.write_bytes(start)
    assert PIXEL_LIMIT < 60_000**2
    for reader in (read_image, read_header):
        with pytest.raises(ImageError, match=r"bomb\.tif has 60000 x 60000 pixels, over 100 megapixels"):
            reader(path)


@pytest.mark.parametrize(("code", "name"), [(259, "compression"), (262, "photometric"), (284, "planarconfig")])
@pytest.mark.parametrize("kind", [SHORT, ASCII])
def test_a_tag_of_many_values_in_place_of_one_is_named(tmp_path: Path, code: int, name: str, kind: int) -> None:
    path = tmp_path / "many.tif"
    write_tiff(path, {258: [8], 259: [1], 262: [1], 277: [1], 284: [1]}, b"\1text\2" * 600)
    entry = struct.pack("<HHI", code, SHORT, 1)
    many = struct.pack("<HHII", code, kind, 900, 8)
    content = path.read_bytes()
    at = content.rindex(entry)
    path.write_bytes(content[:at] + many + content[at + len(many) :])
    for reader in (read_image, read_header):
        with pytest.raises(ImageError, match=rf"many\.tif is damaged \(its {name} is .*, not a number\)") as caught:
            reader(path)
        assert len(str(caught.value)) - len(str(path)) < 200
        assert str(caught.value).isprintable()


def test_a_chain_of_pages_that_has_no_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "loop.tif"
    write_tiff(path, {258: [8], 259: [1], 262: [1], 277: [1]}, bytes(70 * 50))
    content = bytearray(path.read_bytes())
    content[-4:] = content[4:8]
    path.write_bytes(bytes(content))
    read = read_or_refused(path)
    assert read is None or read.shape == (70, 50)
