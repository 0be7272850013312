"""How much the server does at once: threads of their own for each kind of work, and bounds on what waits in memory.

    writes   appending to the log, comments, times     never behind anything else
    reads    the worklist, cases, their logs
    model    clicks and strokes on encoded cases
    files    added images
    imports  annotation files, one at a time

Whatever else a route does runs in the threads that all routes share. A prediction on a case that is not encoded waits
without a thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial, wraps
from typing import Concatenate, Final, Literal, ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from fastapi import Request

from dentasam.errors import DentasamError
from dentasam.labelling.exchange.import_bounds import ImportBounds, ImportStopped

Work = Literal["writes", "reads", "model", "files", "imports"]
Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

THREADS: Final[dict[Work, int]] = {"writes": 8, "reads": 12, "model": 8, "files": 2, "imports": 1}
# Files that are imported or wait for it.
MAX_IMPORTS: Final = 4
RETRY_SECONDS: Final = 2
# How often it is asked whether the client of an import is still there.
WATCH_SECONDS: Final = 0.5
_imports: RunVar[int] = RunVar("dentasam-imports")
_limiters: RunVar[dict[Work, CapacityLimiter]] = RunVar("dentasam-threads")


class ServerBusy(DentasamError):
    """The server has as much to do as it can hold; the same request may be sent again in a moment."""

    headers: Final = {"Retry-After": str(RETRY_SECONDS)}


async def in_threads_of(
    work: Work, function: Callable[Arguments, Answer], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Answer:
    """What the function returns, called in a thread of a kind of work; the event loop goes on meanwhile."""
    limiters = _limiters.get(None)
    if limiters is None:
        limiters = {}
        _limiters.set(limiters)
    limiter = limiters.get(work)
    if limiter is None:
        limiter = limiters[work] = CapacityLimiter(THREADS[work])
    return await to_thread.run_sync(partial(function, *args, **kwargs), limiter=limiter)


def threads_of(work: Work) -> Callable[[Callable[Arguments, Answer]], Callable[Arguments, Awaitable[Answer]]]:
    """Makes a route of a plain function, which is called in a thread of a kind of work."""

    def route(function: Callable[Arguments, Answer]) -> Callable[Arguments, Awaitable[Answer]]:
        @wraps(function)
        async def called(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
            return await in_threads_of(work, function, *args, **kwargs)

        return called

    return route


@asynccontextmanager
async def importing() -> AsyncIterator[None]:
    """An import that runs or waits for its turn. Raises ServerBusy where too many wait already."""
    waiting = _imports.get(0)
    if waiting >= MAX_IMPORTS:
        raise ServerBusy("other annotation files are being imported; try again when they are done")
    _imports.set(waiting + 1)
    try:
        yield
    finally:
        _imports.set(_imports.get(1) - 1)


async def imported_for(
    request: Request,
    work: Callable[Concatenate[ImportBounds, Arguments], Answer],
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> Answer:
    """What `work` returns, called with the bounds of an import in the threads of imports, one import at a time.

    The body of the request has been read. Once its client hangs up, an import that waits leaves the queue, and one
    that runs ends at its next object. Raises ServerBusy, ImportStopped, and what `work` raises.
    """
    gone = threading.Event()

    async def watch(task: asyncio.Future[Answer]) -> None:
        while not await request.is_disconnected():
            await asyncio.sleep(WATCH_SECONDS)
        gone.set()
        if not started.is_set():
            task.cancel()

    started = threading.Event()

    def run() -> Answer:
        started.set()
        return work(ImportBounds(gone.is_set), *args, **kwargs)

    async with importing():
        task = asyncio.ensure_future(in_threads_of("imports", run))
        watcher = asyncio.ensure_future(watch(task))
        try:
            return await task
        except asyncio.CancelledError:
            if gone.is_set():
                raise ImportStopped("the client closed the connection before its turn; nothing was stored") from None
            raise
        finally:
            gone.set()
            watcher.cancel()


class Budget:
    """An amount that all requests share, such as bytes in memory. Threads may share it."""

    def __init__(self, total: int, free: int, what: str) -> None:
        """free: what is not counted of each claim, so that small requests never wait for large ones. what: a noun."""
        self._left, self._free, self._what = total, free, what
        self._lock = threading.Lock()

    def claim(self, amount: int, more: int) -> None:
        """Adds to a claim of `amount`. Raises ServerBusy where others hold too much; then nothing is added."""
        counted = max(0, amount + more - self._free) - max(0, amount - self._free)
        with self._lock:
            if counted > self._left:
                raise ServerBusy(f"the server holds too many {self._what} at the moment; try again in a few seconds")
            self._left -= counted

    def release(self, amount: int) -> None:
        """Gives back a whole claim."""
        with self._lock:
            self._left += max(0, amount - self._free)

    @contextmanager
    def claimed(self, amount: int) -> Iterator[None]:
        """Holds a claim. Raises ServerBusy."""
        self.claim(0, amount)
        try:
            yield
        finally:
            self.release(amount)
