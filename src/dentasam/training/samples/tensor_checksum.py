"""A checksum of tensors, for the files that keep what an encoder gave."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from torch import Tensor

# What reading a damaged safetensors file raises: its own errors, and those of torch for types that it does not know.
UNREADABLE = (OSError, SafetensorError, RuntimeError, ValueError, TypeError, KeyError, AttributeError)


def tensor_checksum(tensors: Mapping[str, Tensor], more: str = "") -> str:
    """The CRC-32 of the tensors' bytes in the order of their names, and of what else a file says."""
    value = zlib.crc32(more.encode())
    for _, tensor in sorted(tensors.items()):
        if tensor.numel():
            # As bytes, since numpy has not all types of numbers that a damaged file may name; and in place, since the
            # tensors may be the larger part of the memory.
            value = zlib.crc32(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data, value)
    return str(value)
