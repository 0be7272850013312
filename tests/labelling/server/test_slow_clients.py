"""Clients that keep the server waiting, against a real server with short limits."""

import asyncio
import errno
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import h11
import pytest
import uvicorn

from dentasam.labelling.server import guarded_protocol
from dentasam.labelling.server.connections import Connections
from dentasam.labelling.server.guarded_protocol import GuardedProtocol
from dentasam.labelling.server.guarded_server import GuardedServer
from dentasam.labelling.server.limits import ClientLimits
from dentasam.labelling.server.listening import bind

SHORT = ClientLimits(connections=20, head_seconds=0.3, idle_seconds=1, body_seconds=0.4, write_seconds=0.4)
# Seconds after which a test gives up; a busy machine may take many of them.
PATIENCE = 60
BIG = 16 * 1024 * 1024
UNANSWERED = threading.Semaphore(0)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body; with many bytes at /big, before the body at /early, never at /never."""
    if scope["path"] == "/in":
        scope["state"]["annotator"] = "me"
    if scope["path"] == "/never":
        UNANSWERED.release()
        await asyncio.Event().wait()
    length, more = 0, scope["path"] != "/early"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length, more = length + len(message["body"]), message["more_body"]
    body = b"x" * BIG if scope["path"] == "/big" else str(length).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def serving(
    limits: ClientLimits = SHORT, grace: int | None = None
) -> Iterator[tuple[Callable[[], socket.socket], Connections]]:
    """A function that connects to the server, and the server's table of connections. An hour passes at /late."""
    table = Connections(limits)

    async def late_app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/late":
            table.drop_overdue(asyncio.get_running_loop().time() + 3600)
        await app(scope, receive, send)

    protocol: Any = partial(GuardedProtocol, clients=table)
    config = uvicorn.Config(
        late_app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_level="error",
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=grace,
    )
    server = GuardedServer(config, table)
    sockets: list[socket.socket] = []
    with bind("127.0.0.1", 0) as listening:
        address = listening.getsockname()
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()

        def connect() -> socket.socket:
            sockets.append(socket.create_connection(address, timeout=PATIENCE))
            return sockets[-1]

        try:
            yield connect, table
        finally:
            if grace is None:
                for each in sockets:
                    each.close()
            server.should_exit = True
            thread.join(20)
            for each in sockets:
                each.close()
    assert not thread.is_alive()


def until_closed(client: socket.socket) -> bytes:
    """All that the server sends until it closes; raises TimeoutError if it does not."""
    found = b""
    try:
        while block := client.recv(65536):
            found += block
    except ConnectionError:
        pass
    return found


def answer_to(client: socket.socket, request: bytes) -> bytes:
    """The first answer, whose body is one digit."""
    client.sendall(request)
    found = b""
    while not re.search(rb"\r\n\r\n.", found):
        block = client.recv(65536)
        assert block, found
        found += block
    return found


def test_half_a_head_is_cut_off_also_byte_by_byte() -> None:
    with serving() as (connect, table):
        silent, half, trickle = connect(), connect(), connect()
        half.sendall(GET[:-3])
        for byte in GET[:5] * 6:
            try:
                trickle.send(bytes([byte]))
            except ConnectionError:
                break
            time.sleep(0.02)
        assert until_closed(silent) == b""
        assert until_closed(half).startswith((b"HTTP/1.1 408 ", b""))
        until_closed(trickle)
        assert len(table) == 0
        assert answer_to(connect(), GET).endswith(b"\r\n\r\n0")


def test_the_second_head_of_a_connection_is_cut_off_too() -> None:
    with serving() as (connect, _):
        client = connect()
        assert b" 200 " in answer_to(client, GET + GET[:10])
        until_closed(client)


def test_a_body_that_stalls_is_cut_off_and_a_steady_one_is_not() -> None:
    with serving() as (connect, table):
        stalled, steady = connect(), connect()
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000\r\n\r\n"
        stalled.sendall(head + b"abc")
        steady.sendall(head)
        for _ in range(16):
            steady.sendall(b"x" * 500)
            time.sleep(0.1)
        assert steady.recv(65536).endswith(b"\r\n\r\n8000")
        until_closed(stalled)
        assert len(table) <= 1


def test_the_rest_of_a_refused_body_is_not_awaited() -> None:
    with serving(ClientLimits(linger_seconds=0.2)) as (connect, _):
        client = connect()
        request = b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 8000\r\n\r\nabc"
        assert b" 200 " in answer_to(client, request)
        until_closed(client)


def test_an_answer_ends_the_connection_of_a_chunked_body() -> None:
    with serving(ClientLimits(linger_seconds=3600, idle_seconds=3600)) as (connect, table):
        client = connect()
        client.sendall(b"POST /early HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        answer = until_closed(client)
        assert answer.startswith(b"HTTP/1.1 200 ")
        # Nobody reads what still comes, be it a whole body and another request.
        client.sendall(b"zz\r\n" + b"0\r\n\r\n" + GET)
        assert until_closed(client) == b""
        (waiting,) = table
        assert isinstance(waiting, GuardedProtocol)
        assert waiting.conn.their_state is h11.SEND_BODY


def test_a_body_of_tiny_chunks_is_refused() -> None:
    with serving(ClientLimits()) as (connect, table):
        client = connect()
        head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        client.sendall(head + b"1\r\na\r\n" * 1001)
        assert until_closed(client).startswith(b"HTTP/1.1 400 ")
        assert len(table) == 0


def test_a_head_in_many_pieces_is_read_with_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_protocol, "_PIECE_SECONDS", 3600)
    with serving(ClientLimits(head_seconds=3600)) as (connect, table):
        client = connect()
        client.sendall(GET[:-2] + b"X: ")
        deadline = time.monotonic() + PATIENCE
        while not (clients := list(table)) and time.monotonic() < deadline:
            time.sleep(0.01)
        (trickling,) = clients
        assert isinstance(trickling, GuardedProtocol)
        while trickling.transport.is_reading() and time.monotonic() < deadline:
            client.send(b"a")
            time.sleep(0.001)
        assert not trickling.transport.is_reading()


def test_a_head_in_many_pieces_is_answered() -> None:
    with serving(ClientLimits(head_seconds=3600)) as (connect, _):
        client = connect()
        for byte in GET[:-1]:
            client.send(bytes([byte]))
            time.sleep(0.002)
        assert answer_to(client, GET[-1:]).endswith(b"\r\n\r\n0")


def test_a_chunked_body_arrives_whole() -> None:
    with serving(ClientLimits()) as (connect, _):
        client = connect()
        head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        client.sendall(head + (b"80\r\n" + b"a" * 128 + b"\r\n") * 5000 + b"0\r\n\r\n")
        assert until_closed(client).endswith(b"\r\n\r\n640000")


def test_a_client_that_does_not_read_is_cut_off() -> None:
    with serving() as (connect, table):
        client = connect()
        client.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(1) == b"H"
        deadline = time.monotonic() + PATIENCE
        while len(table) != 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(table) == 0
        assert len(until_closed(client)) < BIG


def test_a_client_that_reads_slowly_gets_all() -> None:
    with serving() as (connect, _):
        client = connect()
        client.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        found = 0
        while block := client.recv(BIG // 12):
            found += len(block)
            time.sleep(0.05)
        assert found > BIG


def test_an_answer_may_take_its_time() -> None:
    with serving() as (connect, _):
        assert answer_to(connect(), GET.replace(b"/", b"/late", 1)).endswith(b"\r\n\r\n0")


def test_the_signed_in_keep_their_connections() -> None:
    with serving(ClientLimits(connections=20)) as (connect, table):
        signed_in = connect()
        request = GET.replace(b"/", b"/in", 1)
        assert b" 200 " in answer_to(signed_in, request)
        for _ in range(60):
            connect().sendall(GET[:-3])
        assert answer_to(connect(), GET).endswith(b"\r\n\r\n0")
        assert b" 200 " in answer_to(signed_in, request)
        assert len(table) <= 11


@pytest.mark.parametrize(
    "request_head",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_and_the_connection_ends(
    request_head: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving() as (connect, table):
        client = connect()
        client.sendall(request_head + GET)
        refused = until_closed(client)
        assert refused.startswith(b"HTTP/1.1 400 ")
        assert refused.count(b"HTTP/1.1 ") == 1
        assert len(table) == 0
    assert capfd.readouterr().err == ""


def test_running_out_of_files_is_told_once_a_minute(capfd: pytest.CaptureFixture[str]) -> None:
    table = Connections()
    server = GuardedServer(uvicorn.Config(app, log_level="error"), table)
    loop = asyncio.new_event_loop()
    context = {
        "message": "socket.accept() out of system resource",
        "exception": OSError(errno.EMFILE, "Too many open files"),
        "socket": None,
    }
    for _ in range(1000):
        server._handle(loop, context)
    loop.close()
    (line,) = capfd.readouterr().err.splitlines()
    assert "(Too many open files)" in line


@pytest.mark.parametrize(("count", "what"), [(1, "1 request"), (3, "3 requests")])
def test_requests_under_way_at_the_end_are_one_line(count: int, what: str, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(SHORT, grace=1) as (connect, _):
        for _ in range(count):
            connect().sendall(GET.replace(b"/ ", b"/never "))
        for _ in range(count):
            assert UNANSWERED.acquire(timeout=4)
    said = capfd.readouterr().err
    assert "Traceback" not in said
    assert [line.partition(":")[2].strip() for line in said.splitlines()] == [
        f"stopped before {what} under way had an answer; send again what is missing"
    ]
