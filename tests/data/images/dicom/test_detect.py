"""DICOM recognised by its bytes: pydicom's own files, with and without preamble, against files of other kinds."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from dentasam.data.images.dicom.detect import encoding_of, looks_like_dicom

BARE = [
    ("ExplVR_BigEndNoMeta.dcm", (">", True)),
    ("ExplVR_LitEndNoMeta.dcm", ("<", True)),
    ("MR_small_implicit.dcm", ("<", False)),
]


@pytest.mark.parametrize(("name", "encoding"), BARE)
def test_without_preamble_the_first_elements_tell(name: str, encoding: tuple[str, bool], tmp_path: Path) -> None:
    source = get_testdata_file(name, download=False)
    assert source
    content = Path(source).read_bytes()
    # Preamble and meta header together are a fixed part of a file, whose length its first element tells.
    start = 132 + 12 + struct.unpack_from("<I", content, 140)[0] if content[128:132] == b"DICM" else 0
    (tmp_path / "IM0001").write_bytes(content[start:])
    assert looks_like_dicom(tmp_path / "IM0001")
    assert encoding_of(content[start:]) == encoding


def test_a_preamble_is_enough(tmp_path: Path) -> None:
    source = get_testdata_file("CT_small.dcm", download=False)
    assert source
    (tmp_path / "x").write_bytes(Path(source).read_bytes()[:132])
    assert looks_like_dicom(tmp_path / "x")


def test_other_files_are_not_dicom(tmp_path: Path) -> None:
    pixels = np.arange(32 * 64, dtype=np.uint8).reshape(32, 64)
    for suffix in ("png", "jpg", "tif", "bmp", "webp", "gif"):
        Image.fromarray(pixels).save(tmp_path / f"x.{suffix}")
        assert not looks_like_dicom(tmp_path / f"x.{suffix}")
    for content in (
        b"",
        b"\x08\x00",
        b"a note, " * 100,
        bytes(500),
        struct.pack("<6H", 8, 0, 4, 0, 8, 0) * 40,
        struct.pack("<4H", 2, 0, 0, 0) * 60,
    ):
        (tmp_path / "x").write_bytes(content)
        assert not looks_like_dicom(tmp_path / "x")
    assert not looks_like_dicom(tmp_path)
    assert not looks_like_dicom(tmp_path / "missing")
