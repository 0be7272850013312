"""The lock of a workspace: one process at a time uses it, and a server writes its address into the lock file."""

import os
import re
from pathlib import Path

from dentasam.errors import WorkspaceError
from dentasam.locked_file import try_lock

MAX_ADDRESS_BYTES = 300


class WorkspaceInUse(WorkspaceError):
    """Another process uses the workspace; `address` is that of its server, None if it has none."""

    def __init__(self, root: Path, address: str | None) -> None:
        if address is None:
            super().__init__(f"{root} is in use by another dentasam label; stop it, or wait until it ends")
        else:
            super().__init__(f"{root} is in use by the dentasam label at {address}; stop it, or open its address")
        self.root, self.address = root, address


class WorkspaceLock:
    """The open, locked file `lock` in a workspace; the system releases it when the process ends, however it ends."""

    def __init__(self, root: Path) -> None:
        """Makes the workspace's folder if it is missing.

        Raises WorkspaceInUse if another process uses it, WorkspaceError if it cannot be written.
        """
        try:
            # The folder holds people's findings and hashed passwords: for its owner alone.
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file: int | None = os.open(root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except (FileExistsError, NotADirectoryError):
            raise WorkspaceError(f"{root} is a file; name another folder with --workspace") from None
        except OSError as error:
            raise WorkspaceError(
                f"{root} cannot be written ({error.strerror}); name another folder with --workspace"
            ) from None
        if not try_lock(self._file):
            address = _read_address(self._file)
            self.release()
            raise WorkspaceInUse(root, address)
        # A server that was killed leaves its address behind.
        os.ftruncate(self._file, 0)

    def write_address(self, address: str) -> None:
        """Writes the address of this process's server, for processes that find the workspace in use."""
        assert self._file is not None
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, f"{address}\n".encode())

    def release(self) -> None:
        """Lets another process lock the workspace."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _read_address(file: int) -> str | None:
    os.lseek(file, 0, os.SEEK_SET)
    found = re.fullmatch(rb"(https?://[!-~]+)\n", os.read(file, MAX_ADDRESS_BYTES))
    return found[1].decode("ascii") if found else None
