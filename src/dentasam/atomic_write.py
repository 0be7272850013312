"""Replacing files as a whole: a reader sees the old content or the new one, and a killed writer leaves the old."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Of the files that are being written. Whoever cleans a folder up removes those that a killed writer left behind.
DRAFT_SUFFIX = ".part"

# Bytes of a file's name; all usual file systems allow 255, of which a draft's name needs some more.
_LONGEST_NAME = 200

# Windows has neither flag; there the folder's own access rights keep others out.
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


@contextmanager
def write_atomically(path: Path, *, durable: bool = False, private: bool = False) -> Iterator[Path]:
    """Yields the path of a draft in the same folder, to be written; it replaces `path` when the block ends.

    After an exception in the block the draft is removed and `path` is as it was. A draft that a killed writer left,
    or that somebody put there, is removed first and never written into.

    durable: the content is on the disk before it replaces the old one, and the replacement is on the disk when this
    returns. private: only the owner may read and write the file, from its first byte on. Raises OSError, with `path`
    as its file where the write that failed did not say which.
    """
    draft = path.with_name(f".{_short(path.name)}.{os.getpid()}.{threading.get_ident()}{DRAFT_SUFFIX}")
    draft.unlink(missing_ok=True)
    try:
        if private:
            os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW, 0o600))
        yield draft
        if durable:
            _sync(draft)
        os.replace(draft, path)
        if durable:
            _sync(path.parent)
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = os.fspath(path)
        raise
    finally:
        draft.unlink(missing_ok=True)


def _short(name: str) -> str:
    """A file's name, or its hash where a draft's name could become longer than a file system allows."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= _LONGEST_NAME else hashlib.sha256(encoded).hexdigest()


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        # Windows cannot open a folder; its file system keeps the order of such changes itself.
        return
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
