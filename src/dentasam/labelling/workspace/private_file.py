"""Reads the small files of a workspace that only its owner may read: hashes of passwords, tokens, sessions.

They are written by `write_atomically(path, durable=True, private=True)`.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from dentasam.files.atomic_write import NO_FOLLOW


def read_private(path: Path) -> str | None:
    """Returns the text of a file that belongs to this user and that nobody else can read or write.

    Returns None for a file with other permissions, for a link, and where there is no readable file.
    """
    try:
        with open(os.open(path, os.O_RDONLY | NO_FOLLOW), encoding="utf-8") as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                return None
            if os.name == "posix" and (state.st_uid != os.geteuid() or state.st_mode & 0o077):
                return None
            return file.read()
    except (OSError, ValueError):
        return None
