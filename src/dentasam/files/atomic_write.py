"""Replacing files as a whole: a reader sees the old content or the new one, and a killed writer leaves the old."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import gethostname

# Of the files that are being written, `.NAME.MACHINE.PROCESS.THREAD.part`. Those of killed writers are removed by
# `remove_stale_drafts`.
DRAFT_SUFFIX = ".part"
_DRAFT = re.compile(r"\..+\.([0-9a-f]{8})\.(\d+)\.\d+\.part", re.DOTALL)
# Whether a process of another machine or container still lives cannot be seen, and nothing tells one of this machine
# before its last start from those: their drafts go once they are as old as this, for nothing is written for so long.
STALE_SECONDS = 24 * 3600.0

# Bytes of a file's name; all usual file systems allow 255, of which a draft's name needs some more.
_LONGEST_NAME = 200

# What Linux has of the start of its kernel and of the numbers that its processes have.
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NUMBERING = "/proc/self/ns/pid"

# Windows has neither flag; there the folder's own access rights keep others out.
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)

# The drafts that this process is writing, and the folders that it has already cleaned.
_being_written: set[Path] = set()
_cleaned: set[Path] = set()


@contextmanager
def write_atomically(path: Path, *, durable: bool = False, private: bool = False) -> Iterator[Path]:
    """Yields the path of a draft in the same folder, to be written; it replaces `path` when the block ends.

    After an exception in the block the draft is removed and `path` is as it was. A draft that a killed writer left,
    or that somebody put there, is removed first and never written into; before the first file that a process writes
    into a folder, so are the drafts of all killed writers there. A link at `path` is replaced, not followed.

    durable: the content is on the disk before it replaces the old one, and the replacement is on the disk when this
    returns. private: only the owner may read and write the file, from its first byte on. Raises OSError, with `path`
    as its file where the write that failed did not say which.
    """
    folder = Path(os.path.abspath(path.parent))
    if folder not in _cleaned:
        _cleaned.add(folder)
        remove_stale_drafts(folder)
    try:
        with draft_of(path) as draft:
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


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """Yields the path of this thread's draft of a file, in the same folder; no file is there before and after."""
    name = f".{_short(path.name)}.{_machine()}.{os.getpid()}.{threading.get_ident()}{DRAFT_SUFFIX}"
    draft = path.with_name(name)
    known = Path(os.path.abspath(draft))
    _being_written.add(known)
    try:
        draft.unlink(missing_ok=True)
        yield draft
    finally:
        draft.unlink(missing_ok=True)
        _being_written.discard(known)


def remove_stale_drafts(folder: Path) -> None:
    """Removes the drafts in a folder, not in its subfolders, whose writers were killed.

    Only regular files with the name of a draft are removed, never what a link leads to. Kept are the drafts of other
    living processes, and those of other machines, containers, and of this machine before its last start, that are
    younger than `STALE_SECONDS`. A folder that cannot be read or written is left as it is.
    """
    folder = Path(os.path.abspath(folder))
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _DRAFT.fullmatch(entry.name) if entry.name.endswith(DRAFT_SUFFIX) else None
            if match is None or folder / entry.name in _being_written:
                continue
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode) and _is_stale(match[1], int(match[2]), status.st_mtime):
                    os.unlink(entry.path)


def _is_stale(machine: str, process: int, changed: float) -> bool:
    if machine == _machine() and sys.platform != "win32":
        # A container's server has the same number after each start: this process knows its own drafts.
        return process == os.getpid() or not _is_alive(process)
    return time.time() - changed > STALE_SECONDS


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # sends nothing
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _machine() -> str:
    """What tells the processes of this machine, or container, from those of others that write into a folder.

    Two containers may have one host name, and processes with the same numbers: Linux tells their starts and their
    numberings of processes apart.
    """
    parts = [gethostname()]
    with suppress(OSError):
        parts.append(_BOOT.read_text(encoding="ascii").strip())
    with suppress(OSError):
        parts.append(os.readlink(_NUMBERING))
    return hashlib.sha256(os.fsencode("\n".join(parts))).hexdigest()[:8]


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
