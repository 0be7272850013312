"""Locks of files end with the process that took them."""

import os
import signal
from pathlib import Path

import pytest

from dentasam.files.locked_file import close_locked, open_locked


def opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_process_does_not_keep_the_lock_of_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = open_locked(path, opened)
    assert held is not None
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # as a process that loads images for a run
        os.write(writing, b"!")
        signal.pause()
        os._exit(0)
    try:
        os.read(reading, 1)  # the child has begun
        assert open_locked(path, opened) is None  # the child has not unlocked it either
        close_locked(held)  # as the system does when the parent is killed
        again = open_locked(path, opened)
        assert again is not None
        close_locked(again)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_process_closes_no_other_file(tmp_path: Path) -> None:
    held = open_locked(tmp_path / "lock", opened)
    assert held is not None
    close_locked(held)
    other = opened(tmp_path / "other")  # mostly under the number of the file that was closed
    child = os.fork()
    if child == 0:
        try:
            os.write(other, b"whole")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(other)
    assert (tmp_path / "other").read_bytes() == b"whole"
