"""A checksum of tensors, for the files that keep what an encoder gave."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from torch import Tensor


def tensor_checksum(tensors: Mapping[str, Tensor], more: str = "") -> str:
    """The CRC-32 of the tensors' bytes in the order of their names, and of what else a file says."""
    value = zlib.crc32(more.encode())
    for _, tensor in sorted(tensors.items()):
        value = zlib.crc32(tensor.numpy().tobytes(), value)
    return str(value)
