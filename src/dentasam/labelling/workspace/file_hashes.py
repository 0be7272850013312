"""Hashes of image files, computed again when a file changes: images may be replaced while the server runs.

A replacement may keep the date and the size, or point a link to another file. So the hash of a file is computed again
when the device, the inode, the size or either of the times of the file that is really read differs. The system itself
sets the time of the last change of the inode (ctime), so a program cannot set it back.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from pathlib import Path
from typing import Final

from dentasam.data.links import Bounds
from dentasam.errors import ImageError
from dentasam.files.regular_file import open_regular
from dentasam.labelling.workspace.workspace import CaseImage

# Two changes within a tick of the file system's clock look like one, and FAT's tick is two seconds. So a hash is kept
# only if the file has not changed for this long.
MIN_UNCHANGED_NS: Final = 2_100_000_000
MAX_TRIES: Final = 3
FileState = tuple[int, int, int, int, int]


class FileHashes:
    """SHA-256 hashes of files, kept while the files do not change. Threads may share it."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        """bounds: where the files must really lie; None for anywhere."""
        self._bounds = bounds
        self._known: dict[Path, tuple[FileState, str]] = {}
        self._lock = threading.Lock()

    def of(self, path: Path) -> str:
        """The SHA-256 of the file's bytes as hexadecimal digits.

        Raises OSError if it cannot be read, or has become a link to a file outside of the bounds.
        """
        if self._bounds is not None and os.path.exists(path) and not self._bounds.holds(path):
            raise OSError(errno.EPERM, "it is now a link to a file outside of the folder", str(path))
        state = _state(os.stat(path))
        with self._lock:
            known = self._known.get(path)
        if known is not None and known[0] == state:
            return known[1]
        for _ in range(MAX_TRIES):
            started = time.time_ns()
            with open_regular(path) as file:
                state = _state(os.fstat(file.fileno()))
                found = hashlib.file_digest(file, "sha256").hexdigest()
                unchanged = _state(os.fstat(file.fileno())) == state
            if unchanged:
                break
        if unchanged and started - max(state[-2:]) > MIN_UNCHANGED_NS:
            with self._lock:
                self._known[path] = state, found
        return found


def check_same_size(image: CaseImage, height: int, width: int) -> None:
    """Raises ImageError if the file now has an image of another size, height x width, than the case's masks."""
    if (height, width) != (image.height, image.width):
        raise ImageError(
            f"{image.name} is now another picture of {width}x{height} pixels, and its labels are for "
            f"{image.width}x{image.height}; put the old file back, and give the new one another name"
        )


def _state(status: os.stat_result) -> FileState:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
