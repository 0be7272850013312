"""Clients that hang up in the middle of a body: nobody waits for an answer, and the terminal stays quiet."""

import socket
import threading
import time
from pathlib import Path

import pytest
import uvicorn

from dentasam.labelling.auth.access import Access
from dentasam.labelling.auth.passwords import Annotators
from dentasam.labelling.server import serving
from dentasam.labelling.server.guarded_server import GuardedServer
from dentasam.labelling.server.listening import bind
from dentasam.labelling.wire.envelope import MEDIA_TYPE

from ..running import folder_of_images, running

FORM = "application/x-www-form-urlencoded"
BODIES = {
    "POST /login": FORM,
    "POST /logout": FORM,
    "POST /api/cases/1/operations": MEDIA_TYPE,
    "POST /api/cases/1/predict": MEDIA_TYPE,
    "POST /api/cases/1/refine": MEDIA_TYPE,
    "POST /api/cases/1/comments": "application/json",
    "POST /api/cases/1/time": "application/json",
    "PUT /api/proposals": "application/json",
    "PUT /api/schema": "application/json",
    "POST /api/images?name=new.png": "application/octet-stream",
    "POST /api/import?name=new.json": "application/octet-stream",
    "POST /api/import/coco": "application/json",
    "POST /infer/dentasam?image=a": "multipart/form-data; boundary=x",
}
PIECES = {"Content-Length: 100": b"name=", "Transfer-Encoding: chunked": b"5\r\nname=\r\n"}
# The server finds that it cannot write, besides that there is nothing to read.
RESET = b"\1\0\0\0\0\0\0\0"


def test_it_is_quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    annotators = Annotators(tmp_path / "annotators.yaml")
    annotators.add("anna", "a-password")
    started: list[uvicorn.Server] = []

    class Watched(GuardedServer):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            started.append(self)

    monkeypatch.setattr(serving, "GuardedServer", Watched)
    with bind("127.0.0.1", 0) as listening:
        address = listening.getsockname()
        access = Access("a-token", annotators, port=address[1])
        token = access.sessions.begin("anna")
        with running(folder_of_images(tmp_path / "images"), access) as server:
            thread = threading.Thread(
                target=serving.serve, args=(server.app, listening, access.url), kwargs={"announce": lambda line: None}
            )
            thread.start()
            for route, kind in BODIES.items():
                for framing, piece in PIECES.items():
                    for reset in (False, True):
                        with socket.create_connection(address, timeout=5) as client:
                            head = (
                                f"{route} HTTP/1.1\r\nHost: 127.0.0.1:{address[1]}\r\nContent-Type: {kind}\r\n"
                                f"Authorization: Bearer {token}\r\n{framing}\r\n\r\n"
                            )
                            client.sendall(head.encode() + piece)
                            time.sleep(0.02)
                            if reset:
                                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            with socket.create_connection(address, timeout=5) as client:
                client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
            started[0].should_exit = True
            thread.join(20)
            assert not thread.is_alive()
            assert len(server.store.cases()) == 2
    assert capfd.readouterr().err == ""
