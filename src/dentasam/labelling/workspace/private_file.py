"""Small files of a workspace that only its owner may read: ids, hashes of passwords, what lets browsers in."""

from __future__ import annotations

import os
import stat
from pathlib import Path

# Windows has neither flag; there the folder's own rights keep others out.
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


def write_private(path: Path, text: str) -> None:
    """Replaces a file as a whole; readable by its owner alone from its first byte on. Raises OSError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    # What a killed writer left behind, or somebody laid there: it is never written into.
    draft.unlink(missing_ok=True)
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def read_private(path: Path) -> str | None:
    """The text of a file that only its owner could read and write; None for any other, and where there is none."""
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
