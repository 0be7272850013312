"""Disks that take no more: full, over the user's quota, at the largest size of a file, or read-only."""

from __future__ import annotations

import errno

# Where making room helps, and where it does not.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
FULL = NO_ROOM | {errno.EROFS}


def full_disk(error: BaseException | None) -> OSError | None:
    """The OSError of a disk that takes no more, from which an error arose; None where there is no such.

    Libraries report what a write met in errors of their own, with the OSError as cause or context.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, OSError) and error.errno in FULL:
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None
