"""What was assumed about an image whose file is not quite in order: one line on stderr, once for each file.

A reader that goes on where a strict one would stop calls `notice`; the picture may be other than its owner thinks,
so the assumption is always reported. The lines go to a logger of their own: the command shows each as one line,
and a program that uses the package may handle, or silence, the logger `dentasam.data.notices`.
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
    # A command may name a file by a relative path first and by its whole path later.
    key = Path(os.path.realpath(path)), text
    if key not in _reported:
        _reported.add(key)
        log.warning("%s %s", path, text)


@contextmanager
def collected_notices() -> Iterator[list[str]]:
    """Collects the texts of the block's notices, for a caller that lists them itself; none goes to the logger.

    with collected_notices() as notices:
        read_image(path)
    """
    texts: list[str] = []
    token = _collected.set(texts)
    try:
        yield texts
    finally:
        _collected.reset(token)
