"""The images of a few cases with their pixels, from which object windows are cut, kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from dentasam.model.embedding import ImageEmbedding
from dentasam.model.windows.windowed_image import WindowedImage

# A panoramic in 8 bits has 4 MB of pixels, in 16 bits 8 MB, and an embedding of 11 MB for the smallest model.
MAX_BYTES = 192 * 2**20


class ImageMemory:
    """Images by picture (the hash of an image file); beyond `limit` bytes the least recently used go.

    The newest stays whatever its size. Threads may share it; one that wants a picture waits while another makes it.
    """

    def __init__(self, limit: int = MAX_BYTES) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._making: dict[str, threading.Lock] = {}
        self._images: OrderedDict[str, tuple[WindowedImage, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._images)

    def __contains__(self, picture: str) -> bool:
        return picture in self._images

    @property
    def bytes_held(self) -> int:
        """Bytes of all pixels and embeddings."""
        with self._lock:
            return sum(size for _, size in self._images.values())

    def get(self, picture: str, make: Callable[[], tuple[WindowedImage, int] | None]) -> WindowedImage | None:
        """A picture's image, which becomes the most recently used.

        make: called where it is not here; returns the image and the bytes of its pixels, or None where there is no
        such picture any more, which is returned then.
        """
        found = self._find(picture)
        if found is not None:
            return found
        with self._lock:
            making = self._making.setdefault(picture, threading.Lock())
        with making:
            found = self._find(picture)
            try:
                if found is None and (made := make()) is not None:
                    found, size = made
                    self._keep(picture, found, size + _bytes(found.embedding))
            finally:
                with self._lock:
                    self._making.pop(picture, None)
        return found

    def _find(self, picture: str) -> WindowedImage | None:
        with self._lock:
            found = self._images.get(picture)
            if found is None:
                return None
            self._images.move_to_end(picture)
            return found[0]

    def _keep(self, picture: str, image: WindowedImage, size: int) -> None:
        with self._lock:
            self._images[picture] = image, size
            self._images.move_to_end(picture)
            held = sum(each for _, each in self._images.values())
            while held > self._limit and len(self._images) > 1:
                _, (_, gone) = self._images.popitem(last=False)
                held -= gone


def _bytes(embedding: ImageEmbedding) -> int:
    tensors = [embedding.features, embedding.hq]
    if embedding.shared is not None:
        tensors += vars(embedding.shared).values()
    return sum(each.numel() * each.element_size() for each in tensors)
