"""Puts this process's memory into pages of 2 MB, so that a fork copies a table of hundreds and not of 100,000 pages.

It halves the time of a case that is refused at once. Where the kernel (Linux from 6.1 on) does not do it, nothing is
changed.
"""

import ctypes
import re
from pathlib import Path

HUGE = 2 << 20
MADV_COLLAPSE = 25
# Start and end of memory that is written and belongs to no file.
_ANONYMOUS = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw-p 00000000 00:00 0\s", re.ASCII)


def use_huge_pages() -> None:
    """Collapses what is in memory now."""
    try:
        lines = Path("/proc/self/maps").read_text("ascii", "replace").splitlines(keepends=True)
        madvise = ctypes.CDLL(None).madvise
    except (OSError, AttributeError):
        return
    for found in filter(None, map(_ANONYMOUS.match, lines)):
        start, end = (int(text, 16) for text in found.groups())
        start, end = -(-start // HUGE) * HUGE, end // HUGE * HUGE
        if start < end:
            madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), MADV_COLLAPSE)
