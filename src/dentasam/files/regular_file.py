"""Opening files that somebody else may have named or delivered: a pipe, a socket or a device is not waited for."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

from dentasam.files.atomic_write import NO_FOLLOW

# What the shell hands over: `--prompts <(program)` and `--prompts /dev/stdin`.
_HANDED_OVER = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")


class NotRegularError(OSError):
    """The path is a pipe, a socket or a device."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EINVAL, "it is not a regular file but a pipe, a socket or a device", str(path))


def open_regular(path: Path) -> BufferedReader:
    """Opens a regular file to be read, never anything that could block; a link to one is followed.

    What the shell hands over by its number (`/dev/stdin`, `/dev/fd/63`) may be a pipe. Raises NotRegularError for
    others, IsADirectoryError for a folder, and OSError.
    """
    if str(path).startswith(_HANDED_OVER):
        return path.open("rb")
    # Opening a device may already do something, such as rewind a tape.
    _check(path, os.stat(path))
    return open(path, "rb", opener=lambda name, flags: opened_regular(Path(name), flags))


def check_regular(path: Path) -> None:
    """Checks a path that another library opens, and reads in places: of a regular file, or of a link to one.

    Raises NotRegularError for others, whoever hands them over, IsADirectoryError for a folder, and OSError.
    """
    _check(path, os.stat(path))


def opened_regular(path: Path, flags: int, mode: int = 0o777) -> int:
    """The descriptor of a regular file, opened as by `os.open`, without waiting for a pipe.

    Raises NotRegularError, IsADirectoryError and OSError.
    """
    file = os.open(path, flags | getattr(os, "O_NONBLOCK", 0), mode)
    try:
        # It may be another file than the one that was there a moment ago.
        _check(path, os.fstat(file))
    except OSError:
        os.close(file)
        raise
    return file


def without_link(name: str, flags: int) -> int:
    """For `open(…, opener=without_link)`: the descriptor of a regular file that is changed in place, or made.

    Raises OSError for a link, which is not followed, and as `opened_regular`.
    """
    return opened_regular(Path(name), flags | NO_FOLLOW, 0o666)


def _check(path: Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise NotRegularError(path)
