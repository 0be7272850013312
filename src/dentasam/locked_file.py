"""Locks of files: one process at a time holds one, until it ends, however it ends."""

import errno
import os
import sys

# Other processes must be able to read the file, and Windows does not let them read locked bytes: so a byte far behind
# its content is locked.
LOCKED_BYTE = 1 << 20


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
