"""HTTP/1.1 as RFC 9112 wants it from a server behind a proxy, on top of h11.

h11 is lenient in a few places in which a proxy may read the same bytes as other requests than the server does, which
lets a client put a request into the connection of another (request smuggling). These are refused here, and the
connection ends: Content-Length beside Transfer-Encoding (section 6.1), several lengths (6.3), lines that end without
a carriage return or have one inside (2.2), header lines folded over several (5.2), chunked bodies of HTTP/1.0 (6.1).

Each byte costs a bounded time, whatever the pieces it arrives in and the chunks it is cut into.
"""

from __future__ import annotations

import re
from typing import Final

import h11
from h11._receivebuffer import ReceiveBuffer

MAX_HEAD_BYTES: Final = 32 * 1024
# A body may begin with so many chunks of any size; then they must have so many bytes each, on average.
FREE_CHUNKS: Final = 1000
MEAN_CHUNK_BYTES: Final = 64
_BARE: Final = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")
_END: Final = b"\r\n\r\n"


class StrictConnection(h11.Connection):
    """The server's side of a connection."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, MAX_HEAD_BYTES)
        self._receive_buffer = _StrictBuffer()
        self._chunks, self._chunk_bytes = 0, 0
        # How many pieces of a chunked body may still be read in this turn (none in its head's), or None for all.
        # Where more have come, `next_event` wants data and `cut` is set.
        self.turn: int | None = None
        self.cut = False
        # Whether the body of the last request comes in chunks.
        self.chunked = False
        # The status for what was refused last.
        self.refused_with = 400

    @property
    def has_unread(self) -> bool:
        """Whether something has arrived that no event was made of yet."""
        return bool(self._receive_buffer)

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """The next event of the client. Raises h11.RemoteProtocolError."""
        if self.turn == 0 and self.chunked and self.their_state is h11.SEND_BODY and self.has_unread:
            self.cut = True
            return h11.NEED_DATA
        try:
            event = super().next_event()
            if isinstance(event, h11.Request):
                self.chunked = any(name == b"transfer-encoding" for name, _ in event.headers)
                self._chunks, self._chunk_bytes = 0, 0
                if self.turn is not None and self.chunked:
                    self.turn = 0
            elif isinstance(event, h11.Data) and self.chunked:
                self._count(event)
                if self.turn:
                    self.turn -= 1
            return event
        except h11.RemoteProtocolError as error:
            self.refused_with = error.error_status_hint
            raise

    def _count(self, data: h11.Data) -> None:
        """Refuses a body of tiny chunks, each of which costs about as much time as a large one."""
        if data.chunk_start:
            if self._chunks >= FREE_CHUNKS and self._chunk_bytes < self._chunks * MEAN_CHUNK_BYTES:
                raise _refused("the chunks of the body are too small")
            self._chunks += 1
        self._chunk_bytes += len(data.data)


class _StrictBuffer(ReceiveBuffer):
    """What has arrived. h11 takes lines from it twice in a request: the head, and what follows the last chunk."""

    def __init__(self) -> None:
        super().__init__()
        self._checked = 0

    def _extract(self, count: int) -> bytearray:
        self._checked = 0
        return super()._extract(count)

    def maybe_extract_lines(self) -> list[bytearray] | None:
        """The lines up to the first empty one, or None before it has come. Raises h11.RemoteProtocolError."""
        data, checked = self._data, self._checked
        if data.startswith(b"\r\n"):
            # The empty line comes first.
            return super().maybe_extract_lines()
        found = data.find(_END, max(0, checked - len(_END) + 1))
        stop = len(data) if found < 0 else found + len(_END)
        if _BARE.search(data, max(0, checked - 1), stop):
            raise _refused("a line does not end with CR LF")
        if stop > MAX_HEAD_BYTES + len(_END):
            raise h11.RemoteProtocolError("the head is too large", error_status_hint=431)
        if found < 0:
            self._checked = stop
            return None
        lines = super().maybe_extract_lines()
        if lines:
            _check([bytes(line) for line in lines])
        return lines


def _check(lines: list[bytes]) -> None:
    """Checks a whole head, or the lines behind the last chunk. Raises h11.RemoteProtocolError."""
    if any(line[:1] in (b" ", b"\t") for line in lines):
        raise _refused("a header line is folded")
    names = [line.partition(b":")[0].strip().lower() for line in lines]
    lengths, encodings = names.count(b"content-length"), names.count(b"transfer-encoding")
    if lengths and encodings:
        raise _refused("Content-Length and Transfer-Encoding exclude each other")
    if lengths > 1 or encodings > 1:
        raise _refused("a request has one length")
    if lengths and not lines[names.index(b"content-length")].partition(b":")[2].strip(b" \t").isdigit():
        raise _refused("Content-Length is not a number")
    if encodings and lines[0].endswith(b"HTTP/1.0"):
        raise _refused("HTTP/1.0 has no Transfer-Encoding")


def _refused(reason: str) -> h11.RemoteProtocolError:
    return h11.RemoteProtocolError(reason, error_status_hint=400)
