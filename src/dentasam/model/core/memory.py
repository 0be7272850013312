"""Keeping freed memory in the process.

glibc returns every freed buffer above 32 MiB to the kernel, so each large activation costs page faults again: an
elementwise operation on 32 MiB took 18 times as long as its arithmetic. Training and serving therefore tell malloc to
keep freed memory.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_MAX = -4
_M_ARENA_MAX = -8


def keep_freed_memory() -> bool:
    """Tell glibc's malloc to keep and reuse freed memory; returns whether it accepted the settings.

    Without effect except on Linux with glibc. Peak memory is unchanged, but the process keeps it.
    """
    return _accepted({_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: 2**31 - 1, _M_TOP_PAD: 256 * 2**20})


def share_one_arena() -> bool:
    """Tell glibc's malloc to serve all threads from one arena; returns whether it accepted the setting.

    Otherwise a thread may get an arena of its own, up to eight for each core. Each keeps the largest buffers that its
    threads ever needed, in heaps of 64 MiB that long-lived buffers break up, and a server of many threads grows for
    hours. Arenas that are there already stay in use, so this is called before torch and NumPy start their threads.
    Without effect except on Linux with glibc.
    """
    return _accepted({_M_ARENA_MAX: 1})


def release_freed_memory() -> bool:
    """Return the free pages between buffers in use to the system; returns whether any were.

    Other threads wait for malloc meanwhile, about a tenth of a second for a gigabyte. Without effect except on Linux
    with glibc.
    """
    trim = _of_libc("malloc_trim")
    return trim is not None and trim(0) == 1


def _accepted(settings: dict[int, int]) -> bool:
    mallopt = _of_libc("mallopt")
    return mallopt is not None and all(mallopt(name, value) == 1 for name, value in settings.items())


def _of_libc(name: str) -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        function: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError):
        return None
    return function
