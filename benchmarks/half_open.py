"""What clients that never finish their requests, or send them in crumbs, cost the others: the time of an answer.

    python -m benchmarks.half_open FOLDER [--connections 2000] [--descriptors 1024] [--kinds "tiny chunks" …]

FOLDER holds images. `dentasam label` serves it from a process with a limit of so many open files. For each kind of
client this many connections are opened and kept for as long as the server lets them; a hundred a second are opened
again. Trickling heads (at most 1,000 connections) and tiny chunks (at most 20) go on sending as fast as the server
reads. Meanwhile a stranger asks for `/healthz` and a client with the token reads the worklist, on one it
keeps and on new ones. Half bodies and idle connections begin with a whole head each, which is answered.

Prints one JSON object: for each kind the longest answers in seconds, and their ratio to those without an attack
(`ratios`); `open` and `log_bytes` are the server's open files and what it printed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import httpx

HEAD = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 400\r\nX-Half: "


@dataclass(frozen=True)
class Kind:
    """What a client sends first, what it then sends again and again, and how many of the kind there are at most."""

    begun: bytes
    then: bytes = b""
    most: int | None = None


KINDS = {
    "half heads": Kind(HEAD),
    "silent": Kind(b""),
    "half bodies": Kind(HEAD + b"1\r\n\r\nname="),
    "idle": Kind(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
    "trickling heads": Kind(HEAD, b"a", 1000),
    "tiny chunks": Kind(
        b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 10_000, 20
    ),
}
ASKED = 20
# So many are opened again at a time.
AGAIN, AGAIN_SECONDS = 20, 0.2


@contextmanager
def serving(folder: Path, descriptors: int) -> Iterator[tuple[subprocess.Popen[str], str, str, Path]]:
    """The process of the server, its address, its token, and the file of what it prints as errors."""
    label = [sys.executable, "-m", "dentasam", "label", str(folder), "--port", "0", "--no-proposals"]
    command = ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh", *label]
    with tempfile.TemporaryDirectory() as kept:
        errors = Path(kept) / "errors"
        with errors.open("w") as file:
            server = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=file, text=True, env=os.environ | {"COLUMNS": "200"}
            )
        try:
            assert server.stdout is not None
            addresses = (re.search(r"(http://\S+)\?token=(\S+)", line) for line in server.stdout)
            found = next((address for address in addresses if address), None)
            if found is None:
                sys.exit("dentasam label ended before it served anything")
            yield server, found.group(1), found.group(2), errors
        finally:
            server.terminate()
            server.wait(timeout=60)


def attack(address: tuple[str, int], kind: Kind, connections: int, ready: Event, done: Event) -> None:
    """Opens connections of a kind, and opens those again that the server closed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def connected() -> socket.socket:
        client = socket.create_connection(address, timeout=10)
        client.setblocking(False)
        with suppress(OSError):
            client.sendall(kind.begun)
        return client

    def sent(client: socket.socket, waiting: memoryview) -> memoryview:
        """What of `waiting`, or of `then` after it, is still to be sent."""
        with suppress(OSError):
            return waiting[client.send(waiting) :] or memoryview(kind.then)
        return waiting

    def closed(client: socket.socket) -> bool:
        try:
            return client.recv(4096) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    opened = [connected() for _ in range(connections)]
    waiting = [memoryview(kind.then)] * connections
    ready.set()
    looked = time.monotonic()
    while not done.wait(0 if kind.then else AGAIN_SECONDS):
        if kind.then:
            waiting = [sent(client, rest) for client, rest in zip(opened, waiting, strict=True)]
        if time.monotonic() - looked < AGAIN_SECONDS:
            continue
        looked = time.monotonic()
        again = [index for index, client in enumerate(opened) if closed(client)]
        for index in again[:AGAIN]:
            opened[index].close()
            opened[index], waiting[index] = connected(), memoryview(kind.then)


@contextmanager
def attacking(address: tuple[str, int], kind: Kind, connections: int) -> Iterator[None]:
    """The attack, in a process of its own so that it does not slow the measurement down."""
    context = get_context("spawn")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=attack, args=(address, kind, connections, ready, done), daemon=True)
    process.start()
    if not ready.wait(60):
        sys.exit("the connections of the attack could not be opened")
    yield
    done.set()
    process.join()


def longest(base: str, token: str, kept: httpx.Client) -> dict[str, float]:
    """The longest of ASKED answers in seconds."""
    given = {"Authorization": f"Bearer {token}"}
    found = dict.fromkeys(("healthz", "signed_in", "signed_in_new"), 0.0)
    for _ in range(ASKED):
        for name in found:
            started = time.perf_counter()
            if name == "signed_in":
                kept.get("/api/cases").raise_for_status()
            else:
                path = "healthz" if name == "healthz" else "api/cases"
                with urllib.request.urlopen(urllib.request.Request(base + path, headers=given), timeout=60) as answer:
                    answer.read()
            found[name] = max(found[name], time.perf_counter() - started)
        time.sleep(0.2)
    return found


def attacked(folder: Path, connections: int, descriptors: int, kinds: list[str]) -> dict[str, Any]:
    """The longest answers for each kind of client."""
    with serving(folder, descriptors) as (server, base, token, errors):
        url = httpx.URL(base)
        assert url.port is not None
        kept = httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=60)
        with kept:
            while (progress := kept.get("/api/progress").json())["encoded"] < progress["total"]:
                time.sleep(0.5)
            rows: list[dict[str, Any]] = [{"clients": "none", **longest(base, token, kept)}]
            for name in kinds:
                kind = KINDS[name]
                count = connections if kind.most is None else min(connections, kind.most)
                with attacking((url.host, url.port), kind, count):
                    print(f"{count} clients, {name} …", file=sys.stderr)
                    found = longest(base, token, kept)
                    files = len(os.listdir(f"/proc/{server.pid}/fd"))
                rows.append({"clients": name, **found, "open": files, "log_bytes": errors.stat().st_size})
                print(json.dumps(rows[-1]), file=sys.stderr)
    without = rows[0]
    ratios = {
        f"{row['clients']}, {name}": row[name] / without[name]
        for row in rows[1:]
        for name in ("healthz", "signed_in", "signed_in_new")
    }
    return {"connections": connections, "descriptors": descriptors, "rows": rows, "ratios": ratios}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--descriptors", type=int, default=1024, help="the server's limit of open files")
    parser.add_argument(
        "--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="which clients; all if left out"
    )
    options = parser.parse_args()
    print(json.dumps(attacked(options.folder, options.connections, options.descriptors, options.kinds), indent=2))


if __name__ == "__main__":
    main()
