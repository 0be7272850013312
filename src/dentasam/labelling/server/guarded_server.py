"""uvicorn's server, which drops overdue clients and keeps quiet where it runs out of open files."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from typing import Any, Final

import uvicorn

from dentasam.labelling.server.connections import Connections

# asyncio accepts as many in one go, before it hands any of them on; the limit of open files has to bear them.
ACCEPTED_AT_ONCE: Final = 64
# Those that wait to be accepted cost no open files.
_BACKLOG: Final = 4096
_SWEEP_SECONDS: Final = 0.5
_QUIET_SECONDS: Final = 60.0
_OUT_OF_FILES: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

logger = logging.getLogger("uvicorn.error")


class GuardedServer(uvicorn.Server):
    """clients: the table that the protocol enters its connections into."""

    def __init__(self, config: uvicorn.Config, clients: Connections) -> None:
        super().__init__(config)
        self._clients = clients
        self._swept = 0.0
        self._complained: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(self._handle)
        await super().startup(sockets)
        for each in sockets or ():
            each.listen(_BACKLOG)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logger.addFilter(_without_given_up)
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        now = asyncio.get_running_loop().time()
        if now - self._swept >= _SWEEP_SECONDS:
            self._swept = now
            self._clients.drop_overdue(now)
        return await super().on_tick(counter)

    def _handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An error outside of all requests. asyncio waits a second after one in accepting, and tries again."""
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in _OUT_OF_FILES and "socket" in context):
            loop.default_exception_handler(context)
            return
        self._clients.drop_waiting(ACCEPTED_AT_ONCE)
        now = loop.time()
        if self._complained is None or now - self._complained >= _QUIET_SECONDS:
            self._complained = now
            logger.error(
                "no more connections can be accepted (%s); raise the limit of open files, as by ulimit -n",
                error.strerror,
            )


def _without_given_up(record: logging.LogRecord) -> bool:
    """One line for all requests that the end of the server cuts off, in place of a traceback for each."""
    if str(record.msg).startswith("Cancel %s running task"):
        record.msg = "stopped before %s under way had an answer; send again what is missing"
        count = record.args[0] if isinstance(record.args, tuple) and record.args else "some"
        record.args = ("1 request" if count == 1 else f"{count} requests",)
    error = record.exc_info[1] if record.exc_info else None
    return not _cancelled(error)


def _cancelled(error: BaseException | None) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_cancelled(each) for each in error.exceptions)
    return isinstance(error, asyncio.CancelledError)
