"""Files with a checksum behind their content: any changed bit is found, and the file before stays."""

import os
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest

from dentasam.files.sealed_file import is_whole, write_sealed


def test_every_bit_counts(tmp_path: Path) -> None:
    path = tmp_path / "state"
    write_sealed(path, lambda file: file.write(b"content"))
    sealed = path.read_bytes()
    assert sealed.startswith(b"content\nsha256:")
    assert is_whole(path) is True
    for bit in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        assert is_whole(path) is not True, bit
    for length in range(len(sealed)):
        path.write_bytes(sealed[:length])
        assert is_whole(path) is not True, length


def test_a_file_without_a_checksum_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "state"
    for content in (b"", b"short", b"x" * 500):
        path.write_bytes(content)
        assert is_whole(path) is None


def test_the_file_before_is_kept(tmp_path: Path) -> None:
    path, previous = tmp_path / "state", tmp_path / "before"
    for content in (b"1", b"2", b"3"):
        write_sealed(path, partial(_write, content), previous)
    assert (path.read_bytes()[:1], previous.read_bytes()[:1]) == (b"3", b"2")
    assert is_whole(previous) is True


def test_a_write_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, previous = tmp_path / "state", tmp_path / "before"
    for content in (b"1", b"2"):
        write_sealed(path, partial(_write, content), previous)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_sealed(path, lambda file: file.write(b"3"), previous)
    assert caught.value.filename == str(path)
    assert (path.read_bytes()[:1], previous.read_bytes()[:1]) == (b"2", b"1")
    assert sorted(os.listdir(tmp_path)) == ["before", "state"]


def _write(content: bytes, file: BinaryIO) -> None:
    file.write(content)
