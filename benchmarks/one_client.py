"""What one signed-in client can cost the others, by requests that ask for as much as they can.

    python -m benchmarks.one_client [--only NAME …] [--json FILE]

Each attack meets a server of its own, while another client appends to a case of its own ten times a second and asks
for `/healthz`. Prints for each attack its answers, its seconds, the megabytes that it added to the server's memory
at most and those it left there, and the longest that the other client waited. `append_kept` is the longest append
without an attack over the longest with it: greater is better, 1 at best.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.wire.envelope import MEDIA_TYPE, pack

from .label_cases import serving
from .served_memory import ServedMemory

WIDTH, HEIGHT = 701, 500
TRIANGLES, POINTS, PARTS, ENVELOPES, PREDICTIONS = 30_000, 200_000, 90_000, 8, 45
LARGE = 10_000
OTHERS = "others.png"
# Between two requests of the other client, and for how long it is watched without an attack.
PAUSE, QUIET_SECONDS = 0.1, 5.0
PATIENCE = 600.0


@dataclass
class Attack:
    """images: names and sizes (width, height) of those that the server has beside the other client's.

    encoded: begins when all are encoded. requests: given the ids of the cases by name, what is sent at once: path,
    body, headers.
    """

    name: str
    images: dict[str, tuple[int, int]]
    requests: Callable[[dict[str, int]], list[tuple[str, bytes, dict[str, str]]]]
    encoded: bool = True


@dataclass
class Other:
    """The client who wants to work meanwhile."""

    http: httpx.Client
    case: int
    append_seconds: list[float] = field(default_factory=list)
    health_seconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    revision: int = 0

    @contextmanager
    def working(self) -> Iterator[None]:
        """Works until the block ends; the last requests are waited for."""
        self.append_seconds, self.health_seconds = [], []
        over = threading.Event()
        threads = [threading.Thread(target=self._repeat, args=(over, act)) for act in (self._append, self._health)]
        for thread in threads:
            thread.start()
        yield
        over.set()
        for thread in threads:
            thread.join()

    def _repeat(self, over: threading.Event, act: Callable[[], None]) -> None:
        while not over.wait(PAUSE):
            act()

    def _append(self) -> None:
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[100:140, 200:260] = True
        operation = {
            "id": str(uuid.uuid4()),
            "kind": "create",
            "object": str(uuid.uuid4()),
            "time": int(1000 * time.time()),
            "data": {"category": None, "parent": None, "source": "manual"},
            "mask": BoxMask.from_mask(mask),
        }
        started = time.perf_counter()
        answer = self.http.post(
            f"/api/cases/{self.case}/operations",
            content=pack({"operations": [operation]}),
            headers={"Content-Type": MEDIA_TYPE, "If-Match": f'"{self.revision}"'},
        )
        self.append_seconds.append(time.perf_counter() - started)
        if answer.status_code == 200:
            self.revision = answer.json()["revision"]
        else:
            self.failed.append(f"{answer.status_code}: {answer.text[:200]}")

    def _health(self) -> None:
        started = time.perf_counter()
        self.http.get("/healthz").raise_for_status()
        self.health_seconds.append(time.perf_counter() - started)


def attacks() -> list[Attack]:
    one = {"mine.png": (WIDTH, HEIGHT)}
    masks = {"Content-Type": MEDIA_TYPE, "If-Match": '"0"'}

    def imported(outlines: list[list[float]]) -> list[tuple[str, bytes, dict[str, str]]]:
        body = json.dumps(_coco(outlines), separators=(",", ":")).encode()
        return [("/api/import/coco", body, {"Content-Type": "application/json"})]

    def envelopes(cases: dict[str, int]) -> list[tuple[str, bytes, dict[str, str]]]:
        return [(f"/api/cases/{cases['mine.png']}/operations", _large_masks(), masks)] * ENVELOPES

    def predictions(cases: dict[str, int]) -> list[tuple[str, bytes, dict[str, str]]]:
        body = pack({"objects": [{"id": "one", "clicks": [[300, 250, 1]]}]})
        ids = [id for name, id in cases.items() if name != OTHERS]
        return [(f"/api/cases/{id}/predict", body, {"Content-Type": MEDIA_TYPE}) for id in ids]

    triangles = [[0, 0, WIDTH - 1, index % (HEIGHT - 100), WIDTH - 1, HEIGHT - 1] for index in range(TRIANGLES)]
    angles = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)

    def star(depth: float) -> list[float]:
        reach = 100 + depth * (np.arange(POINTS) % 2)
        outline = np.stack([WIDTH / 2 + reach * np.cos(angles), HEIGHT / 2 + reach * np.sin(angles)], 1)
        return [float(number) for number in outline.round(2).ravel()]

    parts = b"".join(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' for _ in range(PARTS))
    form = [
        ("/infer/dentasam-tiny?image=mine", parts + b"--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"})
    ]
    many = {f"{index:02d}.png": (WIDTH, HEIGHT) for index in range(PREDICTIONS)}
    size = f"{LARGE} x {LARGE}"
    return [
        Attack(f"import of {TRIANGLES} triangles", one, lambda _: imported([list(map(float, t)) for t in triangles])),
        Attack(f"a circle of {POINTS} points", one, lambda _: imported([star(0)])),
        Attack(f"a star of {POINTS} points", one, lambda _: imported([star(100)])),
        Attack(f"{ENVELOPES} envelopes, 4 masks of {size} beyond the image", one, envelopes),
        Attack(f"{ENVELOPES} envelopes, 4 masks of {size}", {"mine.png": (LARGE, LARGE)}, envelopes),
        Attack(f"a form of {PARTS} parts", one, lambda _: form),
        Attack(f"{PREDICTIONS} predictions before encoding", many, predictions, encoded=False),
    ]


def _coco(outlines: list[list[float]]) -> dict[str, Any]:
    annotations = [
        {"id": id, "image_id": 1, "category_id": 1, "segmentation": [outline], "iscrowd": 0}
        for id, outline in enumerate(outlines, start=1)
    ]
    image = {"id": 1, "file_name": "mine.png", "width": WIDTH, "height": HEIGHT}
    return {"images": [image], "categories": [{"id": 1, "name": "11"}], "annotations": annotations}


def _large_masks() -> bytes:
    whole = BoxMask.from_runs(0, 0, LARGE, LARGE, b"\x00" + _leb128(LARGE * LARGE))
    data = {"category": None, "parent": None, "source": "manual"}
    operations = [
        {
            "id": str(uuid.uuid4()),
            "kind": "create",
            "object": str(uuid.uuid4()),
            "time": 1,
            "data": data,
            "mask": whole,
        }
        for _ in range(4)
    ]
    return pack({"operations": operations})


def _leb128(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def measure(attack: Attack, scratch: Path) -> dict[str, Any]:
    """One attack on a server of its own: a row of the table."""
    folder = scratch / "images"
    folder.mkdir(parents=True)
    chance = np.random.default_rng(0)
    for name, (width, height) in {OTHERS: (WIDTH, HEIGHT), **attack.images}.items():
        # A large image is blank, so that its file is small.
        pixels = np.full((height, width), 128, np.uint8)
        if width < LARGE:
            pixels = chance.integers(0, 256, (height, width), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    memory = ServedMemory(scratch / "number")
    served = serving(folder, "--no-proposals", program=memory.program, encoded=attack.encoded)
    with served as (_, client), ThreadPoolExecutor(64) as pool:
        cases = {case["name"]: case["id"] for case in client.get("/api/cases").json()}
        with httpx.Client(base_url=client.base_url, headers=client.headers, timeout=PATIENCE) as http:
            other = Other(http, cases[OTHERS])
            if attack.encoded:
                with other.working():
                    time.sleep(QUIET_SECONDS)
            quiet = max(other.append_seconds, default=None)
            sent = attack.requests(cases)
            before = memory.start_of_peak()
            started = time.perf_counter()

            def send(request: tuple[str, bytes, dict[str, str]]) -> str:
                path, body, headers = request
                answer = httpx.post(
                    client.base_url.join(path), content=body, headers={**client.headers, **headers}, timeout=PATIENCE
                )
                refused = answer.status_code >= 400 and answer.status_code != 409
                return f"{answer.status_code} {answer.json()['detail']}" if refused else str(answer.status_code)

            with other.working():
                answers = Counter(pool.map(send, sent))
                seconds = time.perf_counter() - started
                time.sleep(1)
            row = {
                "attack": attack.name,
                "answers": ", ".join(f"{count} × {status}" for status, count in sorted(answers.items())),
                "seconds": round(seconds, 2),
                "peak_megabytes": round(memory.peak() - before),
                "left_megabytes": round(memory.resident() - before),
                "append_seconds": round(max(other.append_seconds), 3),
                "quiet_append_seconds": None if quiet is None else round(quiet, 3),
                "healthz_seconds": round(max(other.health_seconds), 3),
                "failed": other.failed,
            }
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], help="attacks whose names hold one of these words")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    chosen = [each for each in attacks() if not arguments.only or any(word in each.name for word in arguments.only)]
    rows = []
    for attack in chosen:
        with tempfile.TemporaryDirectory() as scratch:
            rows.append(measure(attack, Path(scratch)))
    table = Table(title="One client's requests, and what they cost another")
    for heading in (
        "attack",
        "answers",
        "s",
        "MB at most",
        "MB left",
        "append, s",
        "without, s",
        "healthz, s",
        "failed",
    ):
        table.add_column(heading, justify="left" if heading in ("attack", "answers") else "right")
    for row in rows:
        shown = [*list(row.values())[:-1], len(row["failed"])]
        table.add_row(*("–" if each is None else str(each) for each in shown))
    Console(width=160).print(table)
    for line in {line for row in rows for line in row["failed"]}:
        print(line)
    ratios = {
        row["attack"]: round(row["quiet_append_seconds"] / row["append_seconds"], 3)
        for row in rows
        if row["quiet_append_seconds"]
    }
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": rows, "ratios": {"append_kept": ratios}}))


if __name__ == "__main__":
    main()
