"""Whether the labelling server's memory stays flat over a long time of clicks on many cases.

    python -m benchmarks.steady_memory [--minutes 30] [--cases 200] [--clients 2] [--seconds 30] [--json FILE]

Each client opens one case after the other as the page does (its objects, its pixels, its thumbnail), clicks on one to
three places, each with a few corrections that bring the previous mask, lets a mask follow a stroke, and appends what
it got. The server's resident memory is sampled all the while. Prints the median of each fifth of the time; the caches
fill in the first. `flat` is the second fifth over the last: 1 is flat, and less means that memory grows.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from dentasam.data.phantom import generate
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.wire.envelope import MEDIA_TYPE, pack, unpack

from .label_cases import serving
from .served_memory import ServedMemory

WIDTH, HEIGHT = 1024, 512
PHANTOMS = 8
# The server closes a connection after five seconds without a request.
LIMITS = httpx.Limits(keepalive_expiry=2)
FIFTHS = 5


class Client:
    """One annotator, who goes on until `over` is set."""

    def __init__(self, cases: list[int], seed: int, over: threading.Event) -> None:
        self.clicks = self.opened = self.stored = 0
        self._cases, self._chance, self._over = cases, random.Random(seed), over

    def work(self, http: httpx.Client) -> None:
        self._http = http
        while not self._over.is_set():
            case = self._chance.choice(self._cases)
            self._http.post(f"/api/cases/{case}/open").raise_for_status()
            shown = unpack(self._http.get(f"/api/cases/{case}").raise_for_status().content)["case"]
            for part in ("pixels", "thumbnail"):
                self._http.get(f"/api/cases/{case}/{part}").raise_for_status()
            self._http.get("/api/progress").raise_for_status()
            self.opened += 1
            revision = shown["revision"]
            for _ in range(self._chance.randint(1, 3)):
                revision = self._object(case, revision)

    def _object(self, case: int, revision: int) -> int:
        """Clicks on one place, and stores its mask; the case's revision after that."""
        id = str(uuid.uuid4())
        x, y = self._chance.uniform(0.1, 0.9) * WIDTH, self._chance.uniform(0.2, 0.8) * HEIGHT
        clicks: list[tuple[float, float, int]] = [(x, y, 1)]
        mask = self._ask(case, "predict", {"id": id, "clicks": clicks, "choices": True})
        for _ in range(self._chance.randint(0, 3)):
            beside = x + self._chance.uniform(-30, 30), y + self._chance.uniform(-30, 30)
            clicks.append((*beside, self._chance.randint(0, 1)))
            mask = self._ask(case, "predict", {"id": id, "clicks": clicks, "previous": mask})
        after = mask.on_image(HEIGHT, WIDTH)
        after[int(y) - 8 : int(y) + 8, int(x) - 8 : int(x) + 40] = True
        strokes = {"id": id, "before": mask, "after": BoxMask.from_mask(after), "clicks": clicks}
        mask = self._ask(case, "refine", strokes)
        kinds: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
            ("create", {"category": None, "parent": None, "source": "model"}, {}),
            ("mask", {"tool": "refine"}, {"mask": mask}),
        ]
        now = int(1000 * time.time())
        operations = [
            {"id": str(uuid.uuid4()), "kind": kind, "object": id, "time": now, "data": data, **more}
            for kind, data, more in kinds
        ]
        answer = self._http.post(
            f"/api/cases/{case}/operations",
            content=pack({"operations": operations}),
            headers={"Content-Type": MEDIA_TYPE, "If-Match": f'"{revision}"'},
        ).raise_for_status()
        self.stored += len(operations)
        return int(answer.json()["revision"])

    def _ask(self, case: int, route: str, asked: dict[str, Any]) -> BoxMask:
        answer = self._http.post(
            f"/api/cases/{case}/{route}", content=pack({"objects": [asked]}), headers={"Content-Type": MEDIA_TYPE}
        )
        if answer.status_code != 200:
            raise RuntimeError(f"{route}: {answer.status_code}: {answer.text[:200]}")
        self.clicks += 1
        mask: BoxMask = unpack(answer.content)["objects"][0]["mask"]
        return mask


def write_images(folder: Path, count: int) -> None:
    """Phantoms, each moved sideways and with a noise of its own."""
    phantoms = [generate(seed, width=WIDTH, height=HEIGHT).image for seed in range(min(PHANTOMS, count))]
    for index in range(count):
        chance = np.random.default_rng(index)
        moved = np.roll(phantoms[index % len(phantoms)], 5 * index, axis=1).astype(np.int16)
        noisy = np.clip(moved + chance.integers(-4, 5, moved.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{index:03d}.png")


def measure(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Serves the folder to the clients, and samples the server's memory."""
    memory = ServedMemory(folder.parent / "number")
    over = threading.Event()
    failed: list[BaseException] = []
    options = () if arguments.proposals else ("--no-proposals",)
    with serving(folder, *options, program=memory.program, encoded=False) as (_, http):
        cases = [case["id"] for case in http.get("/api/cases").json()]
        base, headers = http.base_url, http.headers
        clients = [Client(cases, seed, over) for seed in range(arguments.clients)]

        def work(client: Client) -> None:
            try:
                with httpx.Client(base_url=base, headers=headers, timeout=600, limits=LIMITS) as own:
                    client.work(own)
            except BaseException as error:
                failed.append(error)
                over.set()

        threads = [threading.Thread(target=work, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        samples = [memory.resident()]
        end = time.monotonic() + 60 * arguments.minutes
        while time.monotonic() < end and not over.wait(arguments.seconds):
            samples.append(memory.resident())
            encoded = httpx.get(base.join("/api/progress"), headers=headers, timeout=600).json()["encoded"]
            clicks = sum(client.clicks for client in clients)
            print(f"{samples[-1]:.0f} MB, {clicks} clicks, {encoded} cases encoded", flush=True)
        over.set()
        for thread in threads:
            thread.join()
    if failed:
        raise failed[0]
    if len(samples) < FIFTHS:
        raise SystemExit(f"{len(samples)} samples are too few; give more --minutes or fewer --seconds")
    fifths = [statistics.median(part.tolist()) for part in np.array_split(np.array(samples), FIFTHS)]
    done = f"{arguments.cases} cases of {WIDTH} x {HEIGHT}, {arguments.clients} clients, {arguments.minutes} minutes"
    return {
        "work": done,
        "clicks": sum(client.clicks for client in clients),
        "opened": sum(client.opened for client in clients),
        "stored": sum(client.stored for client in clients),
        "samples": len(samples),
        "megabytes_of_fifths": [round(each, 1) for each in fifths],
        "largest_megabytes": round(max(samples), 1),
        "ratios": {"flat": round(fifths[1] / fifths[-1], 3)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=30, help="between two samples")
    parser.add_argument("--proposals", action="store_true", help="the server proposes teeth too")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "images"
        folder.mkdir()
        write_images(folder, arguments.cases)
        document = measure(folder, arguments)
    print(json.dumps(document, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(document))


if __name__ == "__main__":
    main()
