"""Files that end with a checksum of their content, so that a single changed bit is found before anything is used.

    content | "\\nsha256:" | 64 hexadecimal digits | "\\n"

Readers of zip archives (torch.load, np.load) pass over what follows the archive, so they read such a file as before.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from dentasam.files.atomic_write import write_atomically
from dentasam.files.regular_file import check_regular, open_regular

_MARK = b"\nsha256:"
_SEAL_BYTES = len(_MARK) + 64 + 1
_CHUNK = 1 << 20


def write_sealed(path: Path, write: Callable[[BinaryIO], object], previous: Path | None = None) -> None:
    """Write a file and its checksum, as a whole or not at all, on the disk when this returns. Raises OSError.

    write: writes the content. previous: the name under which the file that is replaced is kept. A writer that is
    killed leaves `path`, or at least `previous`, whole.
    """
    with write_atomically(path, durable=True) as draft:
        with draft.open("w+b") as file:
            write(file)
            file.flush()
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            digest = _digest(file, size)
            file.seek(size)
            file.write(_MARK + digest.encode("ascii") + b"\n")
            file.flush()
            # Before the file that is there moves away: a disk may be found full only now.
            os.fsync(file.fileno())
        if previous is not None and path.exists():
            os.replace(path, previous)


def is_whole(path: Path) -> bool | None:
    """Whether the content is what was written; None for a file without a checksum. Raises OSError."""
    check_regular(path)
    with open_regular(path) as file:
        size = file.seek(0, os.SEEK_END) - _SEAL_BYTES
        if size < 0:
            return None
        file.seek(size)
        seal = file.read(_SEAL_BYTES)
        if not (seal.startswith(_MARK) and seal.endswith(b"\n")):
            return None
        file.seek(0)
        return seal[len(_MARK) : -1] == _digest(file, size).encode("ascii")


def _digest(file: BinaryIO, size: int) -> str:
    """The SHA-256 of the next `size` bytes."""
    digest = hashlib.sha256()
    while size > 0:
        chunk = file.read(min(size, _CHUNK))
        if not chunk:
            break
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()
