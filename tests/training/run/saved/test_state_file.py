"""The state that a run is resumed from: damage is found before anything is used, and a full disk leaves it whole."""

from __future__ import annotations

import logging
import os
import random
import zipfile
from pathlib import Path

import pytest
import torch

from dentasam.errors import OutputError
from dentasam.files.sealed_file import write_sealed
from dentasam.training.run.saved.state_file import previous_of, read_state, write_state


def state(step: int) -> dict[str, object]:
    return {"step": step, "weights": {"w": torch.arange(200.0) + step}}


def flipped(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "last.pt"
    assert read_state(path) is None
    write_state(path, state(1))
    write_state(path, state(2))
    for file, step in ((path, 2), (previous_of(path), 1)):
        read = read_state(file)
        assert read is not None
        assert read["step"] == step
        assert torch.equal(read["weights"]["w"], torch.arange(200.0) + step)
    assert sorted(os.listdir(path.parent)) == ["last.previous.pt", "last.pt"]


def test_no_changed_bit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    write_state(path, state(1))
    whole = path.read_bytes()
    for bit in random.Random(0).sample(range(8 * len(whole)), 200):
        path.write_bytes(whole)
        flipped(path, bit)
        with pytest.raises(OutputError, match=r"last\.pt: damaged .*; delete it, and --resume begins anew"):
            read_state(path)


@pytest.mark.parametrize("left", [0, 10, -1, -40, -73, -74])
def test_a_state_cut_short_is_refused(tmp_path: Path, left: int) -> None:
    path = tmp_path / "last.pt"
    write_state(path, state(1))
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(OutputError, match="damaged"):
        read_state(path)


def test_without_the_last_state_the_one_before_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "last.pt"
    for step in (1, 2):
        write_state(path, state(step))
    flipped(path, 1000)
    with pytest.raises(OutputError, match=r"delete it, and --resume goes on from last\.previous\.pt"):
        read_state(path)
    path.unlink()
    with caplog.at_level(logging.WARNING, "dentasam.data.notices"):
        read = read_state(path)
    assert read is not None
    assert read["step"] == 1
    assert "is the state before last.pt, which is missing" in caplog.text
    flipped(previous_of(path), 1000)
    with pytest.raises(OutputError, match=r"last\.previous\.pt: damaged .* begins anew"):
        read_state(path)


@pytest.mark.parametrize("sealed", [True, False])
def test_a_state_of_compressed_records_is_refused_unread(
    tmp_path: Path, sealed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, stored = tmp_path / "last.pt", tmp_path / "stored.pt"
    torch.save(state(1), stored)
    with zipfile.ZipFile(stored) as archive, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as other:
        for record in archive.infolist():
            other.writestr(record.filename, archive.read(record))
    if sealed:
        content = path.read_bytes()
        write_sealed(path, lambda file: file.write(content))
    monkeypatch.setattr(torch, "load", lambda *given, **options: pytest.fail("it was read"))
    with pytest.raises(OutputError, match=r"last\.pt: damaged \(its records cannot be read\); delete it"):
        read_state(path)


def test_a_state_without_a_checksum_is_read_with_a_notice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "last.pt"
    torch.save(state(3), path)
    with caplog.at_level(logging.WARNING, "dentasam.data.notices"):
        read = read_state(path)
    assert read is not None
    assert read["step"] == 3
    assert f"{path} has no checksum" in caplog.text
    torch.save([1], path)
    with pytest.raises(OutputError, match="damaged"):
        read_state(path)


def test_a_full_disk_leaves_the_state_before_whole(tmp_path: Path, limited_file_size: int) -> None:
    path = tmp_path / "last.pt"
    write_state(path, state(1))
    before = path.read_bytes()
    with pytest.raises(OutputError, match=r"last\.pt: cannot be written \(File too large\); free space and --resume"):
        write_state(path, {"weights": torch.zeros(limited_file_size)})
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["last.pt"]
