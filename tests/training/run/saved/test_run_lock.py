"""One run at a time in a folder."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

from dentasam.errors import OutputError
from dentasam.training.run.saved.run_lock import LOCK, RunLock

from ...small_run import small_run


def test_a_second_run_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        words = rf"process {os.getpid()} on {re.escape(socket.gethostname())}, since 20\d\d-.*; wait until it ends"
        with pytest.raises(OutputError, match=words):
            RunLock(tmp_path)
    assert os.listdir(tmp_path) == []
    with RunLock(tmp_path):
        assert os.listdir(tmp_path) == [LOCK]


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 1000, b'{"pid": []}', b"\xff" * 2000])
def test_a_lock_that_a_killed_run_left_is_taken_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / LOCK).write_bytes(content)
    with RunLock(tmp_path):
        (tmp_path / LOCK).write_bytes(content)
        with pytest.raises(OutputError, match="its process is not known"):
            RunLock(tmp_path)


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / LOCK).symlink_to(tmp_path / "notes.txt")
    with pytest.raises(OutputError, match=r"\.run\.lock: cannot be written"):
        RunLock(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_neither_a_run_nor_its_resumption_starts_in_a_locked_folder(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        for resume in (False, True):
            with pytest.raises(OutputError, match="in use by another training run"):
                small_run(tmp_path, resume=resume)
        assert os.listdir(tmp_path) == [LOCK]
