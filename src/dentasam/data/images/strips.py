"""Converting an image in strips of pixels, so that wider numbers in between take little beside the image itself.

A strip is a run of pixels, not of rows: an image may have a single row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import DTypeLike

# Small enough for the cache, and far more than a call costs.
STRIP_PIXELS = 1 << 16


def strips(count: int) -> Iterator[slice]:
    """Slices that cover 0…count one after the other."""
    return (slice(start, min(start + STRIP_PIXELS, count)) for start in range(0, count, STRIP_PIXELS))


def converted(values: np.ndarray, dtype: DTypeLike, convert: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """`convert` of an array of any shape, as an array of that shape; convert maps (n,) to (n,) element by element."""
    flat = values.reshape(-1)
    if flat.size <= STRIP_PIXELS:
        return convert(flat).astype(dtype, copy=False).reshape(values.shape)
    result = np.empty(flat.size, dtype)
    for strip in strips(flat.size):
        result[strip] = convert(flat[strip])
    return result.reshape(values.shape)


def combined(planes: np.ndarray, dtype: DTypeLike, convert: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """`convert` of planes (C, H, W), as (H, W); convert maps (C, n) to (n,), each pixel by itself."""
    flat = planes.reshape(len(planes), -1)
    result = np.empty(flat.shape[1], dtype)
    for strip in strips(flat.shape[1]):
        result[strip] = convert(flat[:, strip])
    return result.reshape(planes.shape[1:])


def are_finite(values: np.ndarray) -> bool:
    """Whether an array of any shape holds neither NaN nor infinities."""
    if values.dtype.kind != "f":
        return True
    flat = values.reshape(-1)
    return all(bool(np.isfinite(flat[strip]).all()) for strip in strips(flat.size))
