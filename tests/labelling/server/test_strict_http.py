"""What h11 lets pass and a proxy may read otherwise: refused, whatever the pieces it arrives in."""

import re

import h11
import pytest

from dentasam.labelling.server import strict_http
from dentasam.labelling.server.strict_http import FREE_CHUNKS, MAX_HEAD_BYTES, MEAN_CHUNK_BYTES, StrictConnection

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = {
    "length and chunks": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\ncontent-length:4\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
    "the same length twice": POST + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
    "a list of lengths": POST + b"Content-Length: 4, 4\r\n\r\nabcd",
    "a signed length": POST + b"Content-Length: +4\r\n\r\nabcd",
    "a hexadecimal length": POST + b"Content-Length: 0x4\r\n\r\nabcd",
    "encodings twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another encoding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks of HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded line": b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n  2\r\n\r\n",
    "a folded first line": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "a bare line feed": b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    "bare line feeds at the end": b"GET / HTTP/1.1\r\nHost: a\n\n",
    "a bare carriage return": b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\rContent-Length: 4\r\n\r\n",
    "a space before the colon": POST + b"Content-Length : 4\r\n\r\nabcd",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a null": b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\x002\r\n\r\n",
    "a line feed behind the last chunk": CHUNKED + b"0\r\n\n",
    "a line feed behind a trailer": CHUNKED + b"0\r\nX: 1\n\r\n",
    "a chunk longer than said": CHUNKED + b"1\r\nab\r\n0\r\n\r\n",
    "a signed chunk": CHUNKED + b"+1\r\na\r\n0\r\n\r\n",
    "a chunk size with a line feed": CHUNKED + b"1;\na\r\n0\r\n\r\n",
}
SOUND = {
    "no body": b"GET /a?b=c HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nCookie: a=b; c=d\r\n\r\n",
    "a length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4 \r\n\r\n\n\r\n\n",
    "chunks": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\n\n\n\r\n0\r\n\r\n",
    "a trailer": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\nX: 1\r\n\r\n",
    "HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
}


def events(pieces: list[bytes]) -> list[object]:
    """The events of a request whose bytes arrive in pieces."""
    connection = StrictConnection()
    found: list[object] = []
    for piece in pieces:
        connection.receive_data(piece)
        while (event := connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            found.append(event)
            if isinstance(event, h11.EndOfMessage):
                break
    return found


@pytest.mark.parametrize("in_bytes", [False, True], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("name", SMUGGLED)
def test_it_refuses(name: str, in_bytes: bool) -> None:
    request = SMUGGLED[name]
    with pytest.raises(h11.RemoteProtocolError):
        events([bytes([byte]) for byte in request] if in_bytes else [request])


@pytest.mark.parametrize("in_bytes", [False, True], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("name", SOUND)
def test_it_takes(name: str, in_bytes: bool) -> None:
    request = SOUND[name]
    found = events([bytes([byte]) for byte in request] if in_bytes else [request])
    assert isinstance(found[0], h11.Request)
    assert isinstance(found[-1], h11.EndOfMessage)
    body = b"".join(event.data for event in found if isinstance(event, h11.Data))
    assert body == {"a length": b"\n\r\n\n", "chunks": b"\n\n", "a trailer": b"a"}.get(name, b"")


def test_it_checks_the_second_request_of_a_connection() -> None:
    connection = StrictConnection()
    connection.receive_data(SOUND["a length"] + SMUGGLED["length and chunks"])
    for kind in (h11.Request, h11.Data, h11.EndOfMessage):
        assert isinstance(connection.next_event(), kind)
    assert connection.next_event() is h11.PAUSED
    connection.send(h11.Response(status_code=204, headers=[]))
    connection.send(h11.EndOfMessage())
    connection.start_next_cycle()
    with pytest.raises(h11.RemoteProtocolError, match="exclude each other"):
        connection.next_event()


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"], ids=["unfinished", "whole"])
def test_a_head_is_bounded(end: bytes) -> None:
    connection = StrictConnection()
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * MAX_HEAD_BYTES + end)
    with pytest.raises(h11.RemoteProtocolError):
        connection.next_event()
    assert connection.refused_with == 431


@pytest.mark.parametrize("begun", [b"GET / HTTP/1.1\r\nX: ", CHUNKED + b"0\r\nX: "], ids=["head", "trailer"])
def test_what_trickles_in_is_looked_at_once(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0

    class Counting:
        def search(self, data: bytearray, start: int, stop: int) -> re.Match[bytes] | None:
            nonlocal looked
            looked += stop - start
            return bare.search(data, start, stop)

    bare = strict_http._BARE
    monkeypatch.setattr(strict_http, "_BARE", Counting())
    connection = StrictConnection()
    request = begun + b"a" * 10_000
    for byte in request:
        connection.receive_data(bytes([byte]))
        while connection.next_event() is not h11.NEED_DATA:
            pass
    assert len(begun) < looked <= 2 * len(request)


def chunk_events(size: int, count: int) -> int:
    """How many pieces of a body are read before it ends or is refused; it comes at once."""
    connection = StrictConnection()
    connection.receive_data(CHUNKED + (b"%x\r\n" % size + b"a" * size + b"\r\n") * count + b"0\r\n\r\n")
    assert isinstance(connection.next_event(), h11.Request)
    found = 0
    try:
        while isinstance(connection.next_event(), h11.Data):
            found += 1
    except h11.RemoteProtocolError:
        assert connection.refused_with == 400
    return found


def test_a_body_of_tiny_chunks_is_refused() -> None:
    assert chunk_events(1, 5 * FREE_CHUNKS) == FREE_CHUNKS
    assert chunk_events(1, FREE_CHUNKS) == FREE_CHUNKS
    assert chunk_events(MEAN_CHUNK_BYTES - 1, 5 * FREE_CHUNKS) == FREE_CHUNKS
    assert chunk_events(MEAN_CHUNK_BYTES, 5 * FREE_CHUNKS) == 5 * FREE_CHUNKS


def test_chunks_count_for_one_request() -> None:
    connection = StrictConnection()
    for _ in range(3):
        connection.receive_data(CHUNKED + b"1\r\na\r\n" * FREE_CHUNKS + b"0\r\n\r\n")
        assert isinstance(connection.next_event(), h11.Request)
        while isinstance(connection.next_event(), h11.Data):
            pass
        connection.send(h11.Response(status_code=204, headers=[]))
        connection.send(h11.EndOfMessage())
        connection.start_next_cycle()


def test_events_copy_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def copied(_: object) -> bytes:
        raise AssertionError("everything that waits was copied")

    monkeypatch.setattr(strict_http._StrictBuffer, "__bytes__", copied)
    assert len(events([SOUND["a trailer"]])) == 3


def test_a_chunked_body_is_read_in_turns() -> None:
    connection = StrictConnection()
    connection.receive_data(CHUNKED + b"1\r\na\r\n" * 10 + b"0\r\n\r\n")
    found = []
    for _ in range(5):
        connection.turn, connection.cut = 4, False
        found.append(0)
        while (event := connection.next_event()) is not h11.NEED_DATA and event is not h11.PAUSED:
            found[-1] += 1
            if isinstance(event, h11.EndOfMessage):
                assert not connection.cut
                # The head, two full turns, and the last two chunks with the end.
                assert found == [1, 4, 4, 3]
                return
        assert connection.cut
    raise AssertionError(found)
