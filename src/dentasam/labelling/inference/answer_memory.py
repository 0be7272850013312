"""The answers that the model gave lately, whose logits are fed back at an object's next click."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.model.windows.objects import ObjectAnswer
from dentasam.model.windows.window import BoxedMask

# The choices of a first click, and the answers that undo may go back to.
ANSWERS_PER_OBJECT = 8
# An answer takes 25 KB of logits in a window, 110 KB on a whole panoramic, and its mask's box.
MAX_BYTES = 64 * 2**20


class _Kept(NamedTuple):
    picture: str
    answer: ObjectAnswer

    @property
    def bytes(self) -> int:
        return self.answer.logits.nbytes + self.answer.mask.bits.nbytes


class AnswerMemory:
    """The last few answers of each object, by case and object; beyond `limit` bytes the oldest objects go.

    Threads may share it.
    """

    def __init__(self, limit: int = MAX_BYTES, per_object: int = ANSWERS_PER_OBJECT) -> None:
        self._limit, self._per_object = limit, per_object
        self._lock = threading.Lock()
        self._bytes = 0
        self._kept: OrderedDict[tuple[int, str], deque[_Kept]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(answers) for answers in self._kept.values())

    @property
    def bytes_held(self) -> int:
        """Bytes of all logits and masks."""
        return self._bytes

    def keep(self, case_id: int, object_id: str, picture: str, mask: BoxMask, answer: ObjectAnswer) -> None:
        """Keep an answer under the mask that the page was given for it. picture: hash of the image file."""
        mask = mask.tight()
        kept = _Kept(picture, replace(answer, mask=BoxedMask(mask.x, mask.y, mask.bits)))
        key = case_id, object_id
        with self._lock:
            answers = self._kept.setdefault(key, deque())
            self._kept.move_to_end(key)
            answers.append(kept)
            self._bytes += kept.bytes
            if len(answers) > self._per_object:
                self._bytes -= answers.popleft().bytes
            while self._bytes > self._limit and len(self._kept) > 1:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= sum(each.bytes for each in oldest)

    def get(self, case_id: int, object_id: str, picture: str, mask: BoxMask) -> ObjectAnswer | None:
        """The newest answer whose mask on this picture was this very one, with that mask; None where none was."""
        mask = mask.tight()
        with self._lock:
            answers = list(self._kept.get((case_id, object_id), ()))
        for kept in reversed(answers):
            own = kept.answer.mask
            if kept.picture == picture and (own.x, own.y) == (mask.x, mask.y) and np.array_equal(own.bits, mask.bits):
                return kept.answer
        return None
