"""Returns freed memory to the system from time to time.

malloc keeps what encodings have freed, for the next ones, but the embeddings that the caches keep lie in between:
each encoding finds less room, and the process grows with the number of cases that were encoded.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dentasam.model.core.memory import release_freed_memory

EVERY_SECONDS = 60.0
# Bytes. Less is not worth the page faults of the encodings that follow.
MOST_GROWTH = 256 * 2**20
_STATM = Path("/proc/self/statm")


class FreedMemory:
    """Releases freed memory when the process has grown since it last did so."""

    def __init__(
        self,
        resident: Callable[[], int] | None = None,
        release: Callable[[], bool] = release_freed_memory,
        most: int = MOST_GROWTH,
    ) -> None:
        """resident: bytes of the process in memory, as Linux says if left out. most: bytes that it may grow by."""
        self._resident, self._release, self._most = resident or resident_bytes, release, most
        self._after = 0

    def check(self) -> bool:
        """Releases it if the process has grown by more than `most`; returns whether it did."""
        if self._resident() - self._after <= self._most:
            return False
        self._release()
        self._after = self._resident()
        return True


@contextmanager
def releasing(every: float = EVERY_SECONDS) -> Iterator[None]:
    """Checks in a thread of its own, until the block ends. every: seconds."""
    done = threading.Event()
    memory = FreedMemory()

    def repeat() -> None:
        while not done.wait(every):
            memory.check()

    thread = threading.Thread(target=repeat, name="freed-memory", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def resident_bytes() -> int:
    """Bytes of this process in memory; 0 where the system does not say it as Linux does."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return 0
