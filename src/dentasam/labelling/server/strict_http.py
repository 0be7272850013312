"""HTTP/1.1 as RFC 9112 wants it from a server behind a proxy, on top of h11.

h11 is lenient in a few places in which a proxy may read the same bytes as other requests than the server does, which
lets a client put a request into the connection of another (request smuggling). These are refused here, and the
connection ends: Content-Length beside Transfer-Encoding (section 6.1), several lengths (6.3), lines that end without
a carriage return or have one inside (2.2), header lines folded over several (5.2), chunked bodies of HTTP/1.0 (6.1).
"""

from __future__ import annotations

import re
from typing import Final

import h11

MAX_HEAD_BYTES: Final = 32 * 1024
_BARE: Final = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")


class StrictConnection(h11.Connection):
    """The server's side of a connection."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, MAX_HEAD_BYTES)
        self._chunked = False
        # The status for what was refused last.
        self.refused_with = 400

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """The next event of the client. Raises h11.RemoteProtocolError."""
        try:
            return self._checked_event()
        except h11.RemoteProtocolError as error:
            self.refused_with = error.error_status_hint
            raise

    def _checked_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        state = self.their_state
        if state is h11.IDLE:
            check_head(self.trailing_data[0])
        before = self.trailing_data[0] if self._chunked and state is h11.SEND_BODY else None
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._chunked = any(name == b"transfer-encoding" for name, _ in event.headers)
        elif isinstance(event, h11.EndOfMessage) and before is not None:
            # The lines behind the last chunk.
            after = self.trailing_data[0]
            if _BARE.search(before[: len(before) - len(after)]):
                raise _refused("a line of the chunked body does not end with CR LF")
        return event


def check_head(received: bytes) -> None:
    """Checks the head of a request as far as it has arrived. Raises h11.RemoteProtocolError."""
    head, end, _ = received.partition(b"\r\n\r\n")
    if _BARE.search(head):
        raise _refused("a line of the head does not end with CR LF")
    if len(head) > MAX_HEAD_BYTES:
        raise h11.RemoteProtocolError("the head is too large", error_status_hint=431)
    if not end:
        return
    request, *lines = head.split(b"\r\n")
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
    if encodings and request.endswith(b"HTTP/1.0"):
        raise _refused("HTTP/1.0 has no Transfer-Encoding")


def _refused(reason: str) -> h11.RemoteProtocolError:
    return h11.RemoteProtocolError(reason, error_status_hint=400)
