"""Notices about image files with small errors: what was assumed to read them, one line on stderr for each file.

A reader that continues where a strict one would stop calls `notice`. The picture may differ from what its owner
expects, so the assumption is always reported. The lines go to the logger `dentasam.data.notices`: the command prints
them, and a program that uses the package may handle or silence them.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

log = logging.getLogger(__name__)

_collected: ContextVar[list[str] | None] = ContextVar("collected notices", default=None)
_reported: set[tuple[Path, str]] = set()


def notice(path: Path, text: str) -> None:
    """Reports `PATH text` once in this process; `text` says what is odd (`has …`) and what was assumed."""
    collected = _collected.get()
    if collected is not None:
        if text not in collected:
            collected.append(text)
        return
    # A file may be named by its relative path first and by its absolute path later.
    key = Path(os.path.realpath(path)), text
    if key not in _reported:
        _reported.add(key)
        log.warning("%s %s", path, text)


@contextmanager
def collected_notices() -> Iterator[list[str]]:
    """Collects the texts of the block's notices, for a caller that lists them itself, in place of the logger.

    with collected_notices() as notices:
        read_image(path)
    """
    texts: list[str] = []
    token = _collected.set(texts)
    try:
        yield texts
    finally:
        _collected.reset(token)
