"""Keeping freed memory in the process.

glibc returns every freed buffer above 32 MiB to the kernel, so each large activation costs page faults again: an
elementwise operation on 32 MiB took 18 times as long as its arithmetic. Training and serving therefore tell malloc to
keep freed memory.

malloc has up to eight arenas for each core, and a thread uses one of them. Each would keep the largest buffers that
any of its threads ever needed, and a server of many threads would grow for hours. Few arenas are enough: a network
asks malloc seldom, for large buffers.
"""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_MAX = -4
_M_ARENA_MAX = -8
_ARENAS = 2


def keep_freed_memory() -> bool:
    """Tell glibc's malloc to keep and reuse freed memory, in few arenas; returns whether it accepted the settings.

    Without effect except on Linux with glibc. Peak memory is unchanged, but the process keeps it.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    keep = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 256 * 2**20))
    settings = (*keep, (_M_ARENA_MAX, _ARENAS))
    return all(mallopt(name, value) == 1 for name, value in settings)
