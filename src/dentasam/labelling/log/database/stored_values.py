"""Values of columns that are used whatever their row's checksum says, or that have none.

A database may hold any of them: SQLite a text where a number belongs, PostgreSQL NaN and Infinity. What cannot be
meant is taken for unknown, so that the case stays in the worklist.
"""

import math
from typing import Any


def share(stored: Any) -> float | None:
    """A number from 0 to 1, None for anything else."""
    return float(stored) if type(stored) in (float, int) and 0 <= stored <= 1 else None


def seconds(stored: Any) -> float:
    """A time span, 0 for what is none."""
    known = type(stored) in (float, int) and stored >= 0 and math.isfinite(stored)
    return float(stored) if known else 0.0


def count(stored: Any) -> int | None:
    """A whole number of things, None for anything else."""
    return stored if type(stored) is int and stored >= 0 else None


def text(stored: Any) -> str | None:
    """A text, None for anything else."""
    return stored if type(stored) is str else None
