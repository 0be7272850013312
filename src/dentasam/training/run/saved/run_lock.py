"""The lock of a run's folder: one run at a time writes there, and the error of another one names it."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType

from dentasam.documents.json_document import parse_json
from dentasam.documents.shown import cut, printable, shown
from dentasam.errors import OutputError
from dentasam.files.atomic_write import NO_FOLLOW
from dentasam.files.locked_file import close_locked, open_locked
from dentasam.files.regular_file import opened_regular

LOCK = ".run.lock"
_MAX_BYTES = 1000


class RunLock:
    """The open, locked file `.run.lock` in a run's folder, to be used in a `with`.

    The system releases it when the process ends, however it ends, even if processes that it started still run. The
    file itself is removed at the end of the block.
    """

    def __init__(self, out: Path) -> None:
        """Raises OutputError where another run holds the lock, and where the folder cannot be written."""
        self._path = out / LOCK
        try:
            self._file = open_locked(self._path, _opened)
        except OSError as error:
            raise OutputError(
                f"{self._path}: cannot be written ({error.strerror}); remove it or choose another --out"
            ) from None
        if self._file is None:
            raise OutputError(
                f"{out} is in use by another training run ({_holder(self._path)}); wait until it ends, or choose "
                "another --out"
            )
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "started": now})
        with suppress(OSError):  # a full disk, which the run's first writing reports
            os.ftruncate(self._file, 0)
            os.write(self._file, text.encode())

    def __enter__(self) -> RunLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let another run use the folder."""
        if self._file is None:
            return
        with suppress(OSError):  # Windows removes no open file; the next run then takes it over
            self._path.unlink()
        close_locked(self._file)
        self._file = None


def _opened(path: Path) -> int:
    return opened_regular(path, os.O_RDWR | os.O_CREAT | NO_FOLLOW, 0o644)


def _holder(path: Path) -> str:
    """Words on the process that wrote the lock's file."""
    try:
        with open(opened_regular(path, os.O_RDONLY | NO_FOLLOW), "rb") as file:
            content = parse_json(file.read(_MAX_BYTES))
        pid, host, started = int(content["pid"]), str(content["host"]), str(content["started"])
    except (OSError, ValueError, LookupError, TypeError):
        return "its process is not known"
    return f"process {shown(pid, 20)} on {cut(printable(host), 100)}, since {cut(printable(started), 40)}"
