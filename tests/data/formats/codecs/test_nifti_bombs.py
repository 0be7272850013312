"""NIfTI volumes whose packed file is small and unpacks to much before the voxels: refused before that."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from dentasam.data.formats.codecs import nifti_volume
from dentasam.data.formats.codecs.nifti_volume import read_volume, volume_bytes
from dentasam.errors import DatasetError

pytest.importorskip("nibabel")


def bent(path: Path, offset: float, extension: int | None) -> Path:
    content = bytearray(gzip.decompress(volume_bytes(np.arange(12, dtype=np.uint8).reshape(3, 4), None)))
    content[108:112] = struct.pack("<f", offset)
    more = b""
    if extension is not None:
        content[348] = 1
        more = struct.pack("<ii", extension, 6) + bytes(1 << 16)
    path.write_bytes(gzip.compress(bytes(content[:352]) + more + bytes(content[352:])))
    return path


@pytest.mark.parametrize(
    ("offset", "extension"), [(1e12, None), (float("inf"), None), (4096.0, 1 << 30), (4096.0, -16), (4096.0, 0)]
)
def test_much_before_the_voxels_is_refused(tmp_path: Path, offset: float, extension: int | None) -> None:
    with pytest.raises(DatasetError, match="a.nii.gz has over 16 MB before its voxels"):
        read_volume(bent(tmp_path / "a.nii.gz", offset, extension))


def test_an_extension_is_read_over(tmp_path: Path) -> None:
    assert read_volume(bent(tmp_path / "a.nii.gz", 352.0 + 32, 32)).shape == (3, 4)


def test_too_many_bytes_of_voxels_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.nii.gz"
    path.write_bytes(volume_bytes(np.zeros((30, 40), np.uint16), None))
    monkeypatch.setattr(nifti_volume, "MAX_VOXEL_BYTES", 2000)
    with pytest.raises(DatasetError, match="of voxels; save it with 8 or 16 bits"):
        read_volume(path)
