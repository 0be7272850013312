"""Kills of `dentasam label`: what it acknowledged is there once, and embeddings are whole."""

from __future__ import annotations

import random
import re
import threading
import time
import uuid
import zlib
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import safetensors.numpy
from PIL import Image

from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.wire.envelope import MEDIA_TYPE, pack, unpack

from .commands import Commands, contents
from .tally import Tally

CLIENTS, CASES = 4, 2
HEIGHT, WIDTH = 60, 120
PATIENCE = 60.0


class Labelling:
    """Clients append strokes to two cases while the server is killed; each next start goes on with what is there.

    database: the URL of an empty one; None for the workspace's file.
    """

    def __init__(
        self, name: str, commands: Commands, folder: Path, chance: random.Random, database: str | None = None
    ) -> None:
        self.tally = Tally(name)
        self._commands, self._folder, self._chance = commands, folder, chance
        self._options = ["--database", database] if database else []
        self._acknowledged: dict[int, set[str]] = {}
        self._lock = threading.Lock()

    def prepare(self) -> None:
        self._folder.mkdir(parents=True)
        for index in range(CASES):
            _write_image(self._folder / f"{index}.png", index)
        with _Server(self._commands, self._folder, *self._options, "--no-proposals") as client:
            self._acknowledged = {case["id"]: set() for case in client.get("/api/cases").json()}

    def attack(self) -> None:
        server = _Server(self._commands, self._folder, *self._options, "--no-proposals")
        with server as client:
            self._check(client)
            over, at_work = threading.Event(), threading.Event()
            seeds = [self._chance.getrandbits(32) for _ in range(CLIENTS)]
            threads = [threading.Thread(target=self._draw, args=(client, seed, over, at_work)) for seed in seeds]
            for thread in threads:
                thread.start()
            at_work.wait(PATIENCE)
            time.sleep(self._chance.uniform(0, 0.5))
            server.kill()
            over.set()
            for thread in threads:
                thread.join()
        self.tally.kills += 1

    def finish(self) -> None:
        with _Server(self._commands, self._folder, *self._options, "--no-proposals") as client:
            self._check(client)
        self.tally.finished += 1

    def _draw(self, client: httpx.Client, seed: int, over: threading.Event, at_work: threading.Event) -> None:
        chance = random.Random(seed)
        case = chance.choice(sorted(self._acknowledged))
        revision = 0
        with httpx.Client(base_url=client.base_url, headers=client.headers, timeout=PATIENCE) as own:
            while not over.is_set():
                operations = _stroke(chance)
                try:
                    answer = own.post(
                        f"/api/cases/{case}/operations",
                        content=pack({"operations": operations}),
                        headers={"Content-Type": MEDIA_TYPE, "If-Match": f'"{revision}"'},
                    )
                except httpx.HTTPError:
                    return
                if answer.status_code != 200:
                    with self._lock:
                        self.tally.lost.append(f"{answer.status_code}: {answer.text[:200]}")
                    return
                revision = answer.json()["revision"]
                with self._lock:
                    self._acknowledged[case] |= {operation["id"] for operation in operations}
                at_work.set()

    def _check(self, client: httpx.Client) -> None:
        for case, ids in self._acknowledged.items():
            stored = unpack(client.get(f"/api/cases/{case}/operations?since=0").content)["operations"]
            counted = Counter(operation["id"] for operation in stored)
            self.tally.checked += len(ids)
            self.tally.lost += [f"case {case}: {id} is lost" for id in ids - counted.keys()]
            self.tally.lost += [f"case {case}: {id} is there {n} times" for id, n in counted.items() if n > 1]
            # All or none of a request: an object comes with its mask.
            with_mask = {one["object"] for one in stored if one["kind"] == "mask"}
            half = {one["object"] for one in stored if one["kind"] == "create"} ^ with_mask
            self.tally.lost += [f"case {case}: half of a request is stored" for _ in half]
            objects = unpack(client.get(f"/api/cases/{case}").content)["objects"]
            shown = {one["id"]: one["mask"].area for one in objects}
            drawn = {one["object"]: one["mask"].area for one in stored if one["kind"] == "mask"}
            self.tally.lost += [f"case {case}: the objects are not what the log adds up to"] * (shown != drawn)
            # What was not acknowledged may be there; from now on it must stay.
            ids |= counted.keys()


class Embeddings:
    """The server is killed while it encodes its images; in the end each embedding is that of one that was not."""

    def __init__(self, commands: Commands, folder: Path, chance: random.Random, images: int = 6) -> None:
        self.tally = Tally("embeddings")
        self._commands, self._folder, self._chance, self._images = commands, folder, chance, images

    def prepare(self) -> None:
        self._folder.mkdir(parents=True)
        for index in range(self._images):
            _write_image(self._folder / f"{index}.png", index)
        started = time.perf_counter()
        self._serve_to_the_end()
        self._seconds = time.perf_counter() - started
        self._truth = self._stored()
        self._forget()

    def attack(self) -> None:
        server = _Server(self._commands, self._folder, "--no-proposals")
        with server:
            time.sleep(self._chance.uniform(0, self._seconds / 2))
            server.kill()
        self.tally.kills += 1
        if len(self._stored()) == len(self._truth):
            self.finish()

    def finish(self) -> None:
        self._serve_to_the_end()
        self.tally.finished += 1
        self.tally.checked += len(self._truth)
        found = self._stored()
        for stem in sorted(self._truth.keys() | found.keys()):
            if stem not in found or stem not in self._truth or not _alike(found[stem], self._truth[stem]):
                self.tally.lost.append(f"{stem}: not the embedding of an undisturbed server")
        self._forget()

    def _serve_to_the_end(self) -> None:
        with _Server(self._commands, self._folder, "--no-proposals") as client:
            while (progress := client.get("/api/progress").json())["encoded"] < progress["total"]:
                time.sleep(0.05)

    @property
    def _embeddings(self) -> Path:
        return self._folder / ".dentasam" / "embeddings"

    def _stored(self) -> dict[str, bytes]:
        """The embeddings whose checksum, in the file's name, is right; and whatever else a write has left."""
        found = contents(self._embeddings) if self._embeddings.is_dir() else {}
        embeddings = {}
        for name, data in found.items():
            stem, _, checksum = name.removesuffix(".safetensors").partition(".")
            if checksum == f"{zlib.crc32(data):08x}":
                embeddings[stem] = data
            elif not name.endswith(".uncertainty"):
                embeddings[name] = data
        return embeddings

    def _forget(self) -> None:
        for path in self._embeddings.rglob("*"):
            if path.is_file():
                path.unlink()


class _Server:
    """`dentasam label` on a folder, from its address on, with a client for it; at the end it is stopped by a kill."""

    def __init__(self, commands: Commands, folder: Path, *options: str) -> None:
        self._commands, self._folder, self._options = commands, folder, options

    def __enter__(self) -> httpx.Client:
        self._commands.start("label", str(self._folder), "--port", "0", *self._options)
        self._running = True
        address = self._address()
        base, _, token = address.partition("/?token=")
        self._client = httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE)
        return self._client

    def _address(self) -> str:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if found := re.search(r"http://\S+token=\S+\n", self._commands.printed()):
                return found.group(0).strip()
            time.sleep(0.01)
        self._commands.kill()
        raise RuntimeError(f"the server does not start: {self._commands.printed()[-500:]}")

    def kill(self) -> None:
        if self._running:
            self._running = False
            self._commands.kill()

    def __exit__(self, *_: object) -> None:
        self.kill()
        with suppress(AttributeError):
            self._client.close()


def _alike(stored: bytes, truth: bytes) -> bool:
    """Whether two embeddings are of one image: threads add up in any order, so that the last bits may differ."""
    one, other = safetensors.numpy.load(stored), safetensors.numpy.load(truth)
    return one.keys() == other.keys() and all(
        np.allclose(one[name].astype(np.float32), other[name].astype(np.float32), rtol=0.02, atol=0.02)
        for name in one
    )


def _write_image(path: Path, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    Image.fromarray(pixels).save(path)


def _stroke(chance: random.Random) -> list[dict[str, Any]]:
    """A new object and its mask, as one request of a page."""
    object = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    mask = np.zeros((HEIGHT, WIDTH), bool)
    y, x = chance.randrange(HEIGHT - 20), chance.randrange(WIDTH - 20)
    mask[y : y + chance.randrange(1, 20), x : x + chance.randrange(1, 20)] = True
    data = {"category": None, "parent": None, "source": "manual"}
    kinds: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("create", data, {}),
        ("mask", {"tool": "brush"}, {"mask": BoxMask.from_mask(mask)}),
    ]
    return [
        {"id": str(uuid.uuid4()), "kind": kind, "object": object, "time": 1_700_000_000_000, "data": data, **more}
        for kind, data, more in kinds
    ]
