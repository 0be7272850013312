"""Which picture a file holds now: images may be replaced while the server runs.

A picture goes by the hash of its file's bytes. A replacement may keep the date and the size, or turn a link to
another file; so the hash is made anew wherever device, inode, size, or either of the times of the file that is
really read differs. The system sets the time of the last change itself, and nobody can set it back.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path
from typing import Final

from dentasam.errors import ImageError
from dentasam.labelling.workspace.workspace import CaseImage

# Two changes within a tick of the file system's clock look like one: FAT counts in two seconds, others in
# milliseconds.
SETTLED_NS: Final = 2_100_000_000
TRIES: Final = 3
State = tuple[int, int, int, int, int]


class FileHashes:
    """Hashes of files, by path. Threads may share it."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[State, str]] = {}
        self._lock = threading.Lock()

    def of(self, path: Path) -> str:
        """The SHA-256 of the file's bytes. Raises OSError where it cannot be read."""
        state = _state(os.stat(path))
        with self._lock:
            known = self._known.get(path)
        if known is not None and known[0] == state:
            return known[1]
        for _ in range(TRIES):
            started = time.time_ns()
            with path.open("rb") as file:
                state = _state(os.fstat(file.fileno()))
                found = hashlib.file_digest(file, "sha256").hexdigest()
                whole = _state(os.fstat(file.fileno())) == state
            if whole:
                break
        if whole and started - max(state[-2:]) > SETTLED_NS:
            with self._lock:
                self._known[path] = state, found
        return found


def check_same_size(image: CaseImage, height: int, width: int) -> None:
    """Raises ImageError where a picture of this size must not stand under the masks of the case."""
    if (height, width) != (image.height, image.width):
        raise ImageError(
            f"{image.name} is now another picture of {width}x{height} pixels, and its labels are for "
            f"{image.width}x{image.height}; put the old file back, and give the new one another name"
        )


def _state(found: os.stat_result) -> State:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
