"""The logits behind the masks that the model gave last, to feed back at an object's next click."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import NamedTuple

import numpy as np

from dentasam.labelling.wire.box_mask import BoxMask

# Logits of 27 x 64 tokens take 110 KB.
MAX_LOGITS = 256


class _Answer(NamedTuple):
    picture: str
    mask: BoxMask
    logits: np.ndarray


class LogitsMemory:
    """Logits by case and object, the oldest dropped beyond `size` objects. Threads may share it."""

    def __init__(self, size: int = MAX_LOGITS) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._answers: OrderedDict[tuple[int, str], _Answer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def keep(self, case_id: int, object_id: str, picture: str, mask: BoxMask, logits: np.ndarray) -> None:
        """Keep the logits (h, w) from which an object's mask was made. picture: hash of the image file."""
        key = case_id, object_id
        with self._lock:
            self._answers[key] = _Answer(picture, mask, logits)
            self._answers.move_to_end(key)
            while len(self._answers) > self._size:
                self._answers.popitem(last=False)

    def get(self, case_id: int, object_id: str, picture: str, mask: BoxMask) -> np.ndarray | None:
        """The logits (h, w) behind this very mask of the object on this picture, or None."""
        with self._lock:
            answer = self._answers.get((case_id, object_id))
        if answer is not None and answer.picture == picture and answer.mask == mask:
            return answer.logits
        return None

    def clear(self) -> None:
        """Drop all logits: another model's are of no use."""
        with self._lock:
            self._answers.clear()
