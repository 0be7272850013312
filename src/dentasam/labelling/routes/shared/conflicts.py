"""Clients that meet on one object are spread over time, so that the next answers of theirs are no conflicts again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable

import anyio

# Seconds. A client by itself waits less than the first; the more wait with it, the longer, up to the second.
FIRST_WAIT, LONGEST_WAIT = 0.05, 0.4


class ConflictWaits:
    """How long each of the requests waits that met a conflict, by case, before it reads what is new.

    A client that sends again at once would meet the same clients again. What it is answered is read after the wait,
    so that it is new. Used from the event loop alone.
    """

    def __init__(
        self,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """sleep: waits for seconds. uniform: a random number between two."""
        self._sleep, self._uniform = sleep, uniform
        self._waiting: Counter[int] = Counter()

    async def wait(self, case_id: int) -> None:
        """Waits a random time, without a thread."""
        self._waiting[case_id] += 1
        try:
            await self._sleep(self._uniform(0, min(FIRST_WAIT * self._waiting[case_id], LONGEST_WAIT)))
        finally:
            self._waiting[case_id] -= 1
            if not self._waiting[case_id]:
                del self._waiting[case_id]
