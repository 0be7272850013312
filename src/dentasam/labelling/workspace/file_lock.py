"""The lock of a workspace: one process at a time uses it, and a server writes into the lock where it is."""

import errno
import os
import re
import sys
from pathlib import Path

from dentasam.errors import WorkspaceError

LONGEST_ADDRESS = 300
# Windows lets nobody read what is locked; so a byte is locked that lies far behind the address.
LOCKED_BYTE = 1 << 20


class WorkspaceInUse(WorkspaceError):
    """Another process has the workspace; `address` is its server's, None where it serves nothing."""

    def __init__(self, root: Path, address: str | None) -> None:
        if address is None:
            super().__init__(f"{root} is in use by another dentasam label; stop that one, or wait for its end")
        else:
            super().__init__(
                f"{root} is in use by the dentasam label at {address}; stop that one, or open its address"
            )
        self.root, self.address = root, address


class WorkspaceLock:
    """The open, locked file `lock` in a workspace; the system frees it when its process ends, however it ends."""

    def __init__(self, root: Path) -> None:
        """Makes the workspace's folder where there is none. Raises WorkspaceError, WorkspaceInUse among them."""
        try:
            # The folder holds people's findings and hashed passwords: for its owner alone.
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file: int | None = os.open(root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except (FileExistsError, NotADirectoryError):
            raise WorkspaceError(f"{root} is a file; name another folder with --workspace") from None
        except OSError as fault:
            raise WorkspaceError(
                f"{root} cannot be written ({fault.strerror}); name another folder with --workspace"
            ) from None
        if not _taken(self._file):
            address = _address(self._file)
            self.release()
            raise WorkspaceInUse(root, address)
        # A server that was killed has left its address.
        os.ftruncate(self._file, 0)

    def write_address(self, address: str) -> None:
        """Writes the address of this process's server, for whoever finds the workspace in use."""
        assert self._file is not None
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, f"{address}\n".encode())

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _address(file: int) -> str | None:
    os.lseek(file, 0, os.SEEK_SET)
    found = re.fullmatch(rb"(https?://[!-~]+)\n", os.read(file, LONGEST_ADDRESS))
    return found[1].decode("ascii") if found else None


def _taken(file: int) -> bool:
    """Locks an open file for this process alone; False where another has it."""
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
    except OSError as fault:
        # Some network file systems know no locks; there the user must see to it that one server runs.
        return fault.errno not in (errno.EACCES, errno.EDEADLK)
    return True
