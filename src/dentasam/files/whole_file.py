"""Writing a file as a whole into a folder that may hold something of its name already.

Whatever has the name is replaced, not written into: what a link there leads to, and what a hard link shares with
other folders, stays as it is.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from dentasam.files.atomic_write import write_atomically
from dentasam.files.regular_file import open_regular

_CHUNK = 1 << 20


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file, as a whole or not at all. Raises OSError."""
    # "x" makes a new file and follows no link, even one that somebody has just put there.
    with write_atomically(path) as draft, draft.open("xb") as file:
        file.write(content)


def copy_whole(source: Path, path: Path) -> None:
    """Copies a regular file, or what a link to one leads to, as a whole or not at all.

    Raises NotRegularError where the source is a pipe, a socket or a device, and OSError.
    """
    with open_regular(source) as content, write_atomically(path) as draft, draft.open("xb") as file:
        shutil.copyfileobj(content, file, _CHUNK)
