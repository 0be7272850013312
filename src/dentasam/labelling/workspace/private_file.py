"""Reads the small files of a workspace that only its owner may read: hashes of passwords, tokens, sessions.

They are written by `write_atomically(path, durable=True, private=True)`.
"""

from __future__ import annotations

import os
from pathlib import Path

from dentasam.errors import WorkspaceError
from dentasam.files.atomic_write import NO_FOLLOW
from dentasam.files.regular_file import opened_regular


def read_private(path: Path, limit: int) -> str | None:
    """Returns the text of a file that belongs to this user and that nobody else can read or write.

    limit: bytes that no such file exceeds; WorkspaceError is raised for a larger one, which is not read. Returns None
    for a file with other permissions, for a link, and where there is no readable file.
    """
    try:
        with open(opened_regular(path, os.O_RDONLY | NO_FOLLOW), "rb") as file:
            state = os.fstat(file.fileno())
            if os.name == "posix" and (state.st_uid != os.geteuid() or state.st_mode & 0o077):
                return None
            content = b"" if state.st_size > limit else file.read(limit + 1)
            if max(state.st_size, len(content)) > limit:
                raise WorkspaceError(f"{path} is larger than {limit:,} bytes, so it is not this program's; delete it")
            return content.decode("utf-8")
    except (OSError, ValueError):
        return None
