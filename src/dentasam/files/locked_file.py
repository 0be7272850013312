"""Locks of files: one process at a time holds one, until it ends, however it ends."""

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

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
        os.close(file)


def try_lock(file: int) -> bool:
    """Locks an open file for this process alone, until it is closed; False if somebody else has locked it."""
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
    return True
