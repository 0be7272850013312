"""The embeddings of an image's windows: those that are missing are encoded together, and kept."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from dentasam.errors import AdapterError
from dentasam.model.core.gray_range import spread
from dentasam.model.core.precision import arithmetic
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.network import Network
from dentasam.model.windows.window import Window
from dentasam.model.windows.window_cache import WindowCache, content_hash

# Windows that are encoded at a time: more gain nothing on a CPU.
AT_ONCE = 16


class WindowEncoder:
    """Encodes windows of one image. Threads may share it."""

    def __init__(
        self,
        network: Network,
        image: np.ndarray,
        cache: WindowCache,
        model_key: Callable[[], str],
        autocast: torch.dtype | None,
    ) -> None:
        """image: (H, W) uint8 or uint16. model_key: names the model with its adapter in use, in `cache`."""
        self._network, self._cache, self._autocast = network, cache, autocast
        # The whole image's gray range, so that a window looks as the image does.
        self._gray = spread(image)
        self._model_key = model_key
        self._key = content_hash(image), model_key()

    def with_cache(self, cache: WindowCache) -> WindowEncoder:
        """The same encoder with another cache."""
        other = copy.copy(self)
        other._cache = cache
        return other

    def encode(self, windows: Sequence[Window]) -> ImageEmbedding:
        """The embeddings of P windows, features (P, 256, 24, 16); those that are missing are encoded together.

        Raises AdapterError where another adapter is in use than when this was made.
        """
        if self._model_key() != self._key[1]:
            raise AdapterError("another adapter is in use now; encode the image again and call Segmenter.windows")
        found: dict[Window, tuple[Tensor, Tensor]] = {}
        missing = []
        for window in dict.fromkeys(windows):
            kept = self._cache.get((*self._key, window))
            if kept is None:
                missing.append(window)
            else:
                found[window] = kept
        for start in range(0, len(missing), AT_ONCE):
            part = missing[start : start + AT_ONCE]
            frame = part[0].frame
            pixels = torch.cat([frame.normalised(self._gray_of(window)) for window in part])
            with arithmetic(self._autocast, self._network.device):
                encoded = self._network.encode(pixels.to(self._network.device), frame)
            encoded = encoded.to(dtype=self._network.dtype)
            for row, window in enumerate(part):
                # Copies of their own: a view would keep all windows of the batch in memory.
                own = encoded.features[row].clone(), encoded.hq[row].clone()
                self._cache.keep((*self._key, window), *own)
                found[window] = own
        features, hq = (torch.stack([found[window][place] for window in windows]) for place in (0, 1))
        return ImageEmbedding(features, hq, windows[0].frame)

    def _gray_of(self, window: Window) -> Tensor:
        """Gray values of a window, (384, 256) float32 in 0..255."""
        gray = window.cut(self._gray).astype(np.float32)
        return torch.from_numpy(gray * np.float32(255 / 65535) if self._gray.dtype == np.uint16 else gray)
