"""The lock of a workspace: one process at a time uses it, and a server writes its address into the lock file."""

import os
import re
from contextlib import suppress
from pathlib import Path

from dentasam.errors import WorkspaceError
from dentasam.files.atomic_write import NO_FOLLOW
from dentasam.files.locked_file import close_locked, open_locked
from dentasam.labelling.workspace.own_folder import open_own_file

LOCK_FILE = "lock"
MAX_ADDRESS_BYTES = 300
# Of a server that was killed while it wrote.
MAYBE_CUT_ADDRESS = re.compile(rb"(|h|ht|htt|https?|https?:/?|https?://[!-~]*\n?)")


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
        """root: the workspace's folder, which `make_own_folder` has made and checked.

        Raises WorkspaceInUse if another process uses it, WorkspaceError if it cannot be written, and where the file
        `lock` holds something else than the address of a server, which is not overwritten.
        """
        path = root / LOCK_FILE
        try:
            self._file: int | None = open_locked(path, open_own_file)
        except OSError as error:
            raise WorkspaceError(
                f"{path} cannot be written ({error.strerror}); name another folder with --workspace"
            ) from None
        if self._file is None:
            raise WorkspaceInUse(root, _address_in(path))
        if not MAYBE_CUT_ADDRESS.fullmatch(os.read(self._file, MAX_ADDRESS_BYTES + 1)):
            self.release()
            raise WorkspaceError(
                f"{path} is not the lock of a workspace, and nothing was written into it; delete it, or name "
                "another folder with --workspace"
            )
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
            close_locked(self._file)
            self._file = None


def _address_in(path: Path) -> str | None:
    with suppress(OSError), open(os.open(path, os.O_RDONLY | NO_FOLLOW), "rb") as file:
        found = re.fullmatch(rb"(https?://[!-~]+)\n", file.read(MAX_ADDRESS_BYTES))
        return found[1].decode("ascii") if found else None
    return None
