"""Many clients who write on one case at once: conflicts, and the time until an operation is stored.

    python -m benchmarks.shared_case [--clients 20] [--operations 60] [--json FILE]

Each client sends its operations one after the other, as `docs/labelling-server.md` describes: after a conflict it
takes the revision of the answer, waits a random time that doubles with each conflict in a row, and sends again. Three
sides, each on a case of its own: every client draws objects of its own; all change one object; and all change one
object but send again at once, without a wait. The ratio compares the conflicts of the last two.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from dentasam.labelling.wire.envelope import MEDIA_TYPE, pack, unpack

from .label_cases import serving

# Seconds that a client waits at most after a conflict: at first, and however many there were in a row.
FIRST_WAIT, LONGEST_WAIT = 0.05, 1.6
SIDES = ("own objects", "one object", "one object, no wait")


@dataclass
class Tally:
    """seconds: from an operation's first request to the answer that it is stored."""

    conflicts: int = 0
    seconds: list[float] = field(default_factory=list)

    def row(self, name: str) -> dict[str, Any]:
        p50, p95 = np.percentile(self.seconds, [50, 95])
        return {
            "name": name,
            "operations": len(self.seconds),
            "conflicts": self.conflicts,
            "p50_seconds": round(float(p50), 4),
            "p95_seconds": round(float(p95), 4),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--operations", type=int, default=60, help="of each client")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for name in SIDES:
            Image.fromarray(np.full((60, 80), 128, np.uint8)).save(Path(scratch) / f"{name}.png")
        with serving(Path(scratch), "--no-proposals") as (_, client):
            cases = {case["name"].removesuffix(".png"): case["id"] for case in client.get("/api/cases").json()}
            rows = [_side(client, cases[name], name, arguments) for name in SIDES]
    ratio = rows[2]["conflicts"] / max(rows[1]["conflicts"], 1)
    work = f"{arguments.clients} clients with {arguments.operations} operations each"
    document = {"work": work, "rows": rows, "ratios": {"conflicts_without_wait_vs_with": round(ratio, 2)}}
    print(json.dumps(document, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(document))


def _side(client: httpx.Client, case: int, name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    shared = str(uuid.uuid4())
    _append(client, case, _operation("create", shared, {"category": None, "parent": None, "source": "manual"}), 0)
    tally, lock = Tally(), threading.Lock()

    def work(number: int) -> None:
        chance = random.Random(number)
        object = shared
        revision = 1
        with httpx.Client(base_url=client.base_url, headers=client.headers, timeout=600) as own:
            for at in range(arguments.operations):
                if name == SIDES[0]:
                    object = str(uuid.uuid4())
                    data = {"category": None, "parent": None, "source": "manual"}
                    operation = _operation("create", object, data)
                else:
                    operation = _operation("relabel", object, {"category": str(11 + at % 8)})
                started, conflicts = time.perf_counter(), 0
                while True:
                    answer = _append(own, case, operation, revision)
                    if answer.status_code == 200:
                        revision = answer.json()["revision"]
                        break
                    if answer.status_code != 409:
                        raise RuntimeError(answer.text)
                    revision = unpack(answer.content)["revision"]
                    conflicts += 1
                    if name != SIDES[2]:
                        time.sleep(chance.uniform(0, min(FIRST_WAIT * 2 ** (conflicts - 1), LONGEST_WAIT)))
                with lock:
                    tally.seconds.append(time.perf_counter() - started)
                    tally.conflicts += conflicts

    threads = [threading.Thread(target=work, args=(number,)) for number in range(arguments.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = unpack(client.get(f"/api/cases/{case}/operations?since=0").content)["operations"]
    # One more: the object that all may change.
    if len({each["id"] for each in stored}) != len(tally.seconds) + 1 or len(stored) != len(tally.seconds) + 1:
        raise RuntimeError(f"{name}: {len(tally.seconds)} operations were acknowledged, {len(stored) - 1} are there")
    return tally.row(name)


def _operation(kind: str, object: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "kind": kind, "object": object, "time": time.time_ns() // 10**6, "data": data}


def _append(client: httpx.Client, case: int, operation: dict[str, Any], revision: int) -> httpx.Response:
    return client.post(
        f"/api/cases/{case}/operations",
        content=pack({"operations": [operation]}),
        headers={"Content-Type": MEDIA_TYPE, "If-Match": f'"{revision}"'},
    )


if __name__ == "__main__":
    main()
