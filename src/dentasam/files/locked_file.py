"""Locks of files: one process at a time holds one, until it ends, however it ends."""

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

# Locked files of this process. A process that is forked has them open too, and would keep their locks after this one.
_held: set[int] = set()

# Other processes must be able to read the file, and Windows does not let them read locked bytes: so a byte far behind
# its content is locked.
LOCKED_BYTE = 1 << 20


def open_locked(path: Path, opened: Callable[[Path], int]) -> int | None:
    """Opens and locks a file; None if another process has locked it. Raises what `opened` raises, and OSError.

    opened: opens the file for writing, and makes it where it is missing, without following a link. A file that has
    another name too is left to that name, and a new one takes its place.
    """
    while True:
        file = opened(path)
        if not try_lock(file):
            os.close(file)
            return None
        with suppress(FileNotFoundError):
            status = os.fstat(file)
            # It differs where another process has just removed or replaced the file.
            if os.path.samestat(status, os.stat(path, follow_symlinks=False)):
                if status.st_nlink <= 1:
                    return file
                path.unlink()
        close_locked(file)


def try_lock(file: int) -> bool:
    """Locks an open file for this process alone, until `close_locked`; False if somebody else has locked it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(file, LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        # Some network file systems do not have locks; there the user must take care that one process runs.
        return error.errno not in (errno.EACCES, errno.EDEADLK)
    _held.add(file)
    return True


def close_locked(file: int) -> None:
    """Closes a file that may be locked, which unlocks it."""
    _held.discard(file)
    os.close(file)


def _leave_to_parent() -> None:
    """Close, in a process just forked, the locked files of its parent, which stay locked there."""
    for file in _held:
        with suppress(OSError):
            os.close(file)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
