"""What a run says where the memory, or the number of processes, is not enough for its recipe."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from dentasam.errors import RecipeError

# torch's allocator on the CPU, whose error has no type of its own, and what a loading process met.
_WORDS = re.compile(r"allocat\w* memory|not enough memory|out of memory|MemoryError|DataLoader worker .* is killed")
_SYSTEM = (errno.ENOMEM, errno.EAGAIN)


@contextmanager
def memory_line(recipe: Path) -> Iterator[None]:
    """Raises RecipeError, which names the recipe, for errors in the block that tell of too little memory."""
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if not _is_of_memory(error):
            raise
        raise RecipeError(
            f"{recipe}: the memory is not enough; lower workers or decode_memory_mb and --resume, or begin in "
            "another --out with a lower batch_images, objects_per_image or lora.rank"
        ) from error


def _is_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno in _SYSTEM
    return bool(_WORDS.search(str(error)))
