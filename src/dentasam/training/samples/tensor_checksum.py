"""A checksum of tensors, for the files that keep what an encoder gave."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
from torch import Tensor


def tensor_checksum(tensors: Mapping[str, Tensor], more: str = "") -> str:
    """The CRC-32 of the tensors' bytes in the order of their names, and of what else a file says."""
    value = zlib.crc32(more.encode())
    for _, tensor in sorted(tensors.items()):
        # Seen as bytes in place: they may be the larger part of the memory.
        bytes_of = np.ascontiguousarray(tensor.numpy()).reshape(-1).view(np.uint8)
        value = zlib.crc32(bytes_of.data, value)
    return str(value)
