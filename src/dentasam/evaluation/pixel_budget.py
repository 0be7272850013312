"""A budget of pixels for images in work: several small images at once, a huge one alone.

An image takes up to ten bytes for each of its pixels while it is read, encoded and drawn, so that the number of
images alone does not bound memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition

from dentasam.data.images.read import image_size
from dentasam.data.images.size_limit import PIXEL_LIMIT
from dentasam.errors import ImageError
from dentasam.model.core.memory import release_freed_memory

# Ten large panoramics, or one image of the greatest size that is read.
PIXELS_AT_ONCE = PIXEL_LIMIT
# After a larger image, memory goes back to the system: pieces of it would not fit the next one.
HUGE_PIXELS = 25_000_000


class PixelBudget:
    """Pixels of images that threads work on at once. Threads share one; each takes what its image has."""

    def __init__(self, pixels: int = PIXELS_AT_ONCE) -> None:
        self._pixels = pixels
        self._taken = 0
        self._changed = Condition()

    def take(self, pixels: int) -> None:
        """Waits until so many pixels are free; an image of more than the budget waits until it is alone."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + pixels <= self._pixels)
            self._taken += pixels

    def give_back(self, pixels: int) -> None:
        """Frees pixels that were taken."""
        return_huge(pixels)
        with self._changed:
            self._taken -= pixels
            self._changed.notify_all()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Takes pixels for a block."""
        self.take(pixels)
        try:
            yield
        finally:
            self.give_back(pixels)


def return_huge(pixels: int) -> None:
    """Returns freed memory to the system where an image has so many pixels that it matters."""
    if pixels >= HUGE_PIXELS:
        release_freed_memory()


def pixels_of(path: Path) -> int:
    """Pixels of an image by its header; 0 where that cannot be read, which the reader of images explains."""
    try:
        height, width = image_size(path)
    except ImageError:
        return 0
    return height * width
