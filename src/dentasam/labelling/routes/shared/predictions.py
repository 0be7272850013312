"""Predictions wait here for the encoding of their case, without a thread, and no more of them than memory allows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import anyio

from dentasam.labelling.routes.shared.capacity import ServerBusy, in_threads_of

if TYPE_CHECKING:
    from dentasam.labelling.inference.encoding.encode_queue import EncodeQueue

Answer = TypeVar("Answer")
MAX_WAITING = 64
# An encoding takes a tenth of a second at least.
POLL_SECONDS = 0.02


class Predictions:
    """The predictions that one server is asked for."""

    def __init__(self, queue: EncodeQueue, max_waiting: int = MAX_WAITING) -> None:
        self._queue, self._max_waiting = queue, max_waiting
        self._waiting = 0

    async def when_encoded(self, case_id: int, answer: Callable[[float], Answer]) -> Answer:
        """Calls `answer` in a thread with the seconds waited, when the case is encoded; it goes to the queue's head.

        Raises ServerBusy where too many others wait, and as `EncodeQueue.request`.
        """
        waited = 0.0
        while not await in_threads_of("model", self._queue.request, case_id):
            if self._waiting >= self._max_waiting:
                raise ServerBusy("too many predictions wait for their images to be encoded; try again in a moment")
            started = time.perf_counter()
            self._waiting += 1
            try:
                while self._queue.waits(case_id):
                    await anyio.sleep(POLL_SECONDS)
            finally:
                self._waiting -= 1
            waited += time.perf_counter() - started
        return await in_threads_of("model", answer, waited)
