"""Checkpoints made to fill the memory or to end in a traceback: each is refused with one line."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

import pytest
import torch

from dentasam.errors import CheckpointError
from dentasam.model.checkpoints import reading
from dentasam.model.checkpoints.reading import read_checkpoint
from dentasam.model.encoder.encoder_registry import recognise_encoder


def saved(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "model.pth"
    torch.save(content, path)
    return path


def repacked(source: Path, target: Path, compression: int, times: int = 1) -> Path:
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w", compression) as other:
        for record in archive.infolist():
            other.writestr(record.filename, archive.read(record))
        entries = list(other.filelist)
        # The same bytes under several names, as an overlapping archive has them.
        for number in range(1, times):
            entry = zipfile.ZipInfo(f"archive/data/{number + 90}")
            largest = max(entries, key=lambda each: each.file_size)
            entry.header_offset, entry.CRC = largest.header_offset, largest.CRC
            entry.file_size = entry.compress_size = largest.file_size
            other.filelist.append(entry)
    return target


def test_compressed_records_are_refused(tmp_path: Path) -> None:
    source = saved(tmp_path, {"a.weight": torch.zeros(1 << 20)})
    assert read_checkpoint(source)["a.weight"].numel() == 1 << 20
    bomb = repacked(source, tmp_path / "bomb.pth", zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 10_000
    with pytest.raises(CheckpointError, match=r"bomb\.pth: holds compressed records.*save it again with torch\.save"):
        read_checkpoint(bomb)


def test_overlapping_records_are_refused(tmp_path: Path) -> None:
    source = saved(tmp_path, {"a.weight": torch.zeros(1 << 16)})
    assert read_checkpoint(repacked(source, tmp_path / "same.pth", zipfile.ZIP_STORED))
    bomb = repacked(source, tmp_path / "bomb.pth", zipfile.ZIP_STORED, times=20)
    with pytest.raises(CheckpointError, match="overlap"):
        read_checkpoint(bomb)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).expand(1 << 40),
        torch.zeros(2, 2).to_sparse(),
        torch.zeros(2, 2, device="meta"),
        torch.zeros(2, dtype=torch.complex64),
    ],
    ids=["repeated", "sparse", "without content", "complex"],
)
def test_only_plain_tensors_are_taken(tmp_path: Path, tensor: torch.Tensor) -> None:
    with pytest.raises(CheckpointError, match=r"model\.pth: "):
        read_checkpoint(saved(tmp_path, {"a.weight": tensor, "b.weight": torch.zeros(2)}))


def test_wrappings_without_end_are_refused(tmp_path: Path) -> None:
    content: dict[str, object] = {}
    content["model"] = content
    with pytest.raises(CheckpointError, match="holds no state dict"):
        read_checkpoint(saved(tmp_path, content))


def test_a_huge_header_of_safetensors_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_HEADER_BYTES", 1 << 12)
    empty = {f"a{number}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for number in range(100)}
    header = json.dumps(empty).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: its header is over"):
        read_checkpoint(path)


def test_too_many_tensors_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_TENSORS", 3)
    with pytest.raises(CheckpointError, match=r"model\.pth: "):
        read_checkpoint(saved(tmp_path, {f"a{number}": torch.zeros(1) for number in range(4)}))


def test_a_number_in_place_of_the_patches_is_no_encoder() -> None:
    assert recognise_encoder({"image_encoder.patch_embed.proj.weight": torch.tensor(1.0)}) is None
