"""A small DICOMweb server on loopback whose answers a test chooses, also such as no honest server gives."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

BOUNDARY = "a-boundary"
MULTIPART = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'


@dataclass(frozen=True)
class Answer:
    """length: what Content-Length claims, that of the body if left out. pause: seconds between two bytes."""

    status: int = 200
    kind: str = "application/dicom+json"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    pause: float = 0.0


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


@dataclass
class Fake:
    """url: its address. requests: what it was asked. answer: what it answers."""

    url: str
    answer: Callable[[Request], Answer]
    requests: list[Request] = field(default_factory=list)


@contextmanager
def serving(answer: Callable[[Request], Answer], tls: ssl.SSLContext | None = None) -> Iterator[Fake]:
    """Serves while the block runs; over https where a context is given."""
    stopped = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._do()

        def do_POST(self) -> None:
            self._do()

        def _do(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(self.command, parts.path, parse_qs(parts.query), dict(self.headers), body)
            fake.requests.append(request)
            given = fake.answer(request)
            self.send_response(given.status)
            self.send_header("Content-Type", given.kind)
            self.send_header("Content-Length", str(len(given.body) if given.length is None else given.length))
            for name, value in given.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.close_connection = given.length is not None
            try:
                for part in (given.body,) if not given.pause else (bytes([byte]) for byte in given.body):
                    self.wfile.write(part)
                    if given.pause and stopped.wait(given.pause):
                        return
            except OSError:
                pass  # the client has had enough

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    fake = Fake(f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}/dicom-web", answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


def found(uid: str, **others: Any) -> dict[str, Any]:
    """One result of a search; others: values by tag, as `_00080060="PX"`."""
    values = {"0020000D": "1.2.1", "0020000E": "1.2.2", "00080018": uid, "00080060": "PX"}
    values |= {tag.removeprefix("_"): value for tag, value in others.items()}
    return {tag: {"vr": "UN", "Value": [value]} for tag, value in values.items() if value is not None}


def json_answer(content: Any, status: int = 200) -> Answer:
    return Answer(status, body=json.dumps(content).encode())


def multipart(*parts: bytes, end: bool = True) -> bytes:
    body = b"".join(b"\r\n--%s\r\nContent-Type: application/dicom\r\n\r\n%s" % (BOUNDARY.encode(), p) for p in parts)
    return body + b"\r\n--%s--\r\n" % BOUNDARY.encode() * end
