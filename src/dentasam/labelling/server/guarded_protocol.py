"""uvicorn's protocol for HTTP/1.1 with limits on what a client may keep the server waiting for."""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from dentasam.labelling.server.connections import Connections
from dentasam.labelling.server.strict_http import StrictConnection


def _last_answer(status: str, text: str) -> bytes:
    """An answer to a client whose connection ends with it."""
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(text)}\r\n"
        f"Connection: close\r\n\r\n{text}"
    ).encode()


_TOO_SLOW: Final = _last_answer("408 Request Timeout", "the request arrived too slowly")
_MALFORMED: Final = _last_answer("400 Bad Request", "the request is not valid HTTP/1.1")
_TOO_LARGE: Final = _last_answer("431 Request Header Fields Too Large", "the head of the request is too large")
# Pieces of a chunked body that are read before others have their turn. The first turn ends with the head, since most
# requests that are refused are refused for it.
_TURN_CHUNKS: Final = 64
# So much of a body is still taken after its answer, for clients that read no answer before they have sent all.
_DRAINED_BYTES: Final = 1024 * 1024
# A head that comes in more pieces than these is read on after a pause, in which the next ones gather.
_FREE_PIECES: Final = 16
_PIECE_SECONDS: Final = 0.1


class GuardedProtocol(H11Protocol):
    """One connection. `Connections` asks it every half second whether its client is overdue.

    The time for a head runs from the first moment, or from the first byte after an answer, to its last byte. A body
    and an answer need a minimum rate; while the server itself does not read, or works on an answer, no time runs.
    """

    def __init__(self, *arguments: Any, clients: Connections, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.conn: StrictConnection = StrictConnection()
        self._clients, self._limits = clients, clients.limits
        # Each is the loop's time since when something is waited for, or None.
        self._head_since: float | None = None
        self._linger_since: float | None = None
        self._body_window: tuple[float, int] | None = None
        self._write_window: tuple[float, int] | None = None
        self._received = 0
        # At how many bytes a chunked body was answered before its end; what still comes of it is thrown away.
        self._ended_at: int | None = None
        self._next_turn: asyncio.Handle | None = None
        self._head_pieces = 0

    @property
    def signed_in(self) -> bool:
        return self.scope is not None and "annotator" in cast("dict[str, Any]", self.scope).get("state", {})

    @property
    def answering(self) -> bool:
        # uvicorn makes the cycle at the first request.
        cycle = self.cycle
        return cycle is not None and not cycle.response_complete

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        self._head_since = self.loop.time()
        self._clients.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clients.closed(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._ended_at is not None:
            if self._received - self._ended_at > _DRAINED_BYTES:
                self.transport.pause_reading()
            return
        if self._head_since is None and self.conn.their_state is h11.IDLE:
            self._head_since = self.loop.time()
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._head_since = None
            self._head_pieces = 0
            return
        self._head_pieces += 1
        if self._head_pieces > _FREE_PIECES:
            self.transport.pause_reading()
            self.loop.call_later(_PIECE_SECONDS, self._read_on)
        if self._head_since is None:
            # The rest of a body that was answered early has ended; uvicorn's own timer was stopped by it.
            self._head_since = self.loop.time()

    def handle_events(self) -> None:
        """Handles what has arrived; of a chunked body a few pieces, and the rest when others had their turn."""
        self.conn.turn, self.conn.cut = _TURN_CHUNKS, False
        super().handle_events()
        if self.conn.cut:
            self.transport.pause_reading()
            if self._next_turn is None:
                self._next_turn = self.loop.call_soon(self._go_on)

    def _read_on(self) -> None:
        if not self.flow.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def _go_on(self) -> None:
        self._next_turn = None
        self._read_on()
        if self._ended_at is None and not self.transport.is_closing():
            self.handle_events()

    def resume_writing(self) -> None:
        self._write_window = None
        super().resume_writing()

    def on_response_complete(self) -> None:
        self._clients.answered(self)
        if self.conn.their_state is h11.SEND_BODY:
            self._linger_since = self.loop.time()
            if self.conn.chunked:
                self._ended_at = self._received
        super().on_response_complete()
        if self._ended_at is not None and self.transport.can_write_eof():
            # The connection ends with this answer. To close it before the client has stopped sending would take the
            # answer from it.
            self.transport.write_eof()
        if self.conn.their_state is h11.IDLE and self.conn.has_unread:
            self._head_since = self.loop.time()

    def send_400_response(self, msg: str) -> None:
        """Answers what is not HTTP, where no other answer has begun, and closes the connection."""
        if not self.answering or not self.cycle.response_started:
            self.transport.write(_TOO_LARGE if self.conn.refused_with == 431 else _MALFORMED)
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def overdue(self, now: float) -> bool:
        """Whether the client has been waited for too long, at the loop's time `now`."""
        waiting_to_write = self.transport.get_write_buffer_size()
        if waiting_to_write:
            return self._reads_too_slowly(now, waiting_to_write)
        self._write_window = None
        state = self.conn.their_state
        if state is h11.IDLE:
            return self._head_since is not None and now - self._head_since > self._limits.head_seconds
        if state is h11.SEND_BODY:
            return self._sends_too_slowly(now)
        return False

    def drop(self) -> None:
        """Closes the connection at once; a client that is still sending gets the reason."""
        if not self.answering and self.conn.their_state is h11.IDLE and self._received:
            self.transport.write(_TOO_SLOW)
        self.transport.abort()

    def _reads_too_slowly(self, now: float, size: int) -> bool:
        """size: the bytes that the client has not read yet."""
        if self._write_window is None:
            self._write_window = now, size
            return False
        since, before = self._write_window
        if now - since <= self._limits.write_seconds:
            return False
        self._write_window = now, size
        return before - size < (now - since) * self._limits.bytes_per_second

    def _sends_too_slowly(self, now: float) -> bool:
        if self._linger_since is not None and not self.answering:
            return now - self._linger_since > self._limits.linger_seconds
        if self._body_window is None or self.flow.read_paused:
            # A body that the server does not read on is not late.
            self._body_window = now, self._received
            return False
        since, before = self._body_window
        if now - since <= self._limits.body_seconds:
            return False
        self._body_window = now, self._received
        return self._received - before < (now - since) * self._limits.bytes_per_second
