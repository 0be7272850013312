"""Embeddings of windows, kept in memory by what they show."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

import numpy as np
from torch import Tensor

from dentasam.model.windows.window import Window

# 1.2 MB each, for the smallest model in float32.
MAX_WINDOWS = 96

Key = tuple[str, str, Window]


class WindowCache:
    """Features (256, 24, 16) and HQ features (32, 96, 64) of windows; beyond `size` the least recently used goes.

    A key names the image by its content, the model with its adapter, and the window. Threads may share a cache.
    """

    def __init__(self, size: int = MAX_WINDOWS) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, tuple[Tensor, Tensor]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key) -> tuple[Tensor, Tensor] | None:
        """A window's features and HQ features, or None."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
        return found

    def keep(self, key: Key, features: Tensor, hq: Tensor) -> None:
        """Keep a window's features and HQ features."""
        with self._lock:
            self._kept[key] = features, hq
            self._kept.move_to_end(key)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._kept.clear()


def content_hash(image: np.ndarray) -> str:
    """A short hash of an image's pixels, type and shape."""
    digest = hashlib.blake2b(np.ascontiguousarray(image).view(np.uint8).reshape(-1).data, digest_size=16)
    digest.update(f"{image.dtype} {image.shape}".encode())
    return digest.hexdigest()
