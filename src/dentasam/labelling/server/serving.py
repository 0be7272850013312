"""Answers requests until a signal ends it, and shows meanwhile how far the encoding is."""

from __future__ import annotations

import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import uvicorn

from dentasam.labelling.server.connections import Connections
from dentasam.labelling.server.guarded_protocol import GuardedProtocol
from dentasam.labelling.server.guarded_server import ACCEPTED_AT_ONCE, GuardedServer
from dentasam.labelling.server.limits import ClientLimits, affordable_connections
from dentasam.progress import shown

if TYPE_CHECKING:
    from fastapi import FastAPI

POLL_SECONDS = 0.5
# Requests in flight get this long at the end; the page sends again what was not answered.
GRACE_SECONDS = 5


class Encoding(Protocol):
    """What the progress line shows."""

    @property
    def encoded(self) -> int: ...

    @property
    def total(self) -> int: ...

    @property
    def current(self) -> str | None: ...


def serve(
    app: FastAPI,
    listening: socket.socket,
    url: str,
    *,
    announce: Callable[[str], None],
    progress: Callable[[], Encoding] | None = None,
    open_browser: bool = False,
    browser_url: Callable[[], str] | None = None,
    limits: ClientLimits | None = None,
) -> None:
    """Answers requests on `listening` until SIGINT or SIGTERM; closes it, and returns.

    browser_url: makes the address for `open_browser`, `url` if left out.
    limits: those that this process can afford if left out.
    """
    limits = limits or ClientLimits(connections=affordable_connections())
    clients = Connections(limits)
    protocol: Any = partial(GuardedProtocol, clients=clients)
    config = uvicorn.Config(
        app,
        http=protocol,
        timeout_keep_alive=limits.idle_seconds,
        backlog=ACCEPTED_AT_ONCE,
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="error",
        server_header=False,
        # The address in the log of failed sign-ins is the one that really connected.
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = GuardedServer(config, clients)
    for line in (url, "stop it with Ctrl+C"):
        announce(line)
    if open_browser:
        webbrowser.open(url if browser_url is None else browser_url())
    done = threading.Event()
    showing = threading.Thread(target=_show, args=(progress, done), name="encoding-progress", daemon=True)
    if progress is not None:
        showing.start()
    try:
        with _stopping(server):
            server.run(sockets=[listening])
    finally:
        done.set()
        if progress is not None:
            showing.join(timeout=2 * POLL_SECONDS)
        listening.close()


@contextmanager
def _stopping(server: uvicorn.Server) -> Iterator[None]:
    """SIGINT and SIGTERM end the server alone, also before it listens to them and after it let go of them.

    uvicorn raises the signal that stopped it once more at its end, when there is still something to tidy up.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(progress: Callable[[], Encoding], done: threading.Event) -> None:
    """How far the encoding is, on stderr, until all images are encoded."""
    state = progress()
    if state.encoded >= state.total:
        return
    with shown("encoding", "images", already=state.encoded, transient=True) as update:
        while not done.wait(POLL_SECONDS):
            state = progress()
            update(state.encoded, state.total, state.current or "")
            if state.encoded >= state.total:
                break
