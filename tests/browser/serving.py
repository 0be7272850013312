"""A labelling server in a process of its own, as a user starts it, and what it has stored."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.wire.envelope import MEDIA_TYPE, pack, unpack

COMMAND = [sys.executable, "-m", "dentasam"]


class Server:
    """`dentasam label FOLDER`, without proposals, so that a case holds what a test makes and nothing else.

    program: what runs in place of the `dentasam` command, with the same arguments. proposes: whether the model
    proposes teeth.
    """

    def __init__(self, folder: Path, *, program: list[str] | None = None, proposes: bool = False) -> None:
        self.folder = folder
        self._program = program or COMMAND
        self._always = [] if proposes else ["--no-proposals"]
        self._port = 0
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self, *options: str) -> "Server":
        """Starts it, again on the port that it had before, and waits for its address."""
        self._process = subprocess.Popen(
            [
                *self._program,
                "label",
                str(self.folder),
                "--port",
                str(self._port),
                "--annotator",
                "tester",
                *self._always,
                *options,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"COLUMNS": "200", "OMP_NUM_THREADS": "1"},
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        printed: list[str] = []
        stderr = self._process.stderr
        threading.Thread(target=lambda: printed.extend(stderr), daemon=True).start()
        address = None
        for line in self._process.stdout:
            address = re.search(r"http://127\.0\.0\.1:(\d+)/\S*token=\S+", line)
            if address:
                break
        assert address, "".join(printed)
        threading.Thread(target=self._process.stdout.read, daemon=True).start()
        self.url, self._port = address.group(0), int(address.group(1))
        token = self.url.partition("token=")[2]
        self._client = httpx.Client(
            base_url=self.base, headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False
        )
        return self

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def kill(self) -> None:
        """Ends it at once, with no chance to put anything in order."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(timeout=60)
        self._client.close()

    def get(self, path: str) -> httpx.Response:
        answer = self._client.get(path)
        answer.raise_for_status()
        return answer

    def case(self, name: str) -> int:
        """The id of the case of an image."""
        return next(one["id"] for one in self.get("/api/cases").json() if one["name"] == name)

    def next_name(self, case: int) -> str:
        """The image after a case's in the order of the worklist."""
        cases = sorted(self.get("/api/cases").json(), key=lambda one: one["name"])
        at = next(index for index, one in enumerate(cases) if one["id"] == case)
        found: str = cases[at + 1]["name"]
        return found

    def document(self, case: int) -> dict[str, Any]:
        """A case with its objects as the server holds them."""
        found: dict[str, Any] = unpack(self.get(f"/api/cases/{case}").content)
        return found

    def operations(self, case: int) -> list[dict[str, Any]]:
        """The log of a case from its beginning."""
        found: list[dict[str, Any]] = unpack(self.get(f"/api/cases/{case}/operations?since=0").content)["operations"]
        return found

    def objects(self, case: int) -> dict[str, dict[str, Any]]:
        """Objects that are not deleted, by id; their masks as (H, W) bool of the whole image."""
        document = self.document(case)
        height, width = document["case"]["height"], document["case"]["width"]
        found = {}
        for state in document["objects"]:
            if state["deleted"]:
                continue
            drawn = {part: _drawn(state[part], height, width) for part in ("mask", "painted", "erased")}
            found[state["id"]] = state | drawn
        return found

    def append(self, case: int, operations: list[dict[str, Any]]) -> None:
        """Adds to the log, as another annotator's page would."""
        answer = self._client.post(
            f"/api/cases/{case}/operations",
            content=pack({"operations": operations}),
            headers={"Content-Type": MEDIA_TYPE, "If-Match": f'"{self.document(case)["case"]["revision"]}"'},
        )
        answer.raise_for_status()


@contextmanager
def serving_one_image(folder: Path, image: Path) -> Iterator[Server]:
    """A server over a new folder with one image, opg.png, which is a copy of a file; it is stopped at the end."""
    folder.mkdir()
    shutil.copyfile(image, folder / "opg.png")
    running = Server(folder).start()
    try:
        yield running
    finally:
        running.stop()


def _drawn(mask: BoxMask | None, height: int, width: int) -> np.ndarray:
    return np.zeros((height, width), bool) if mask is None else mask.on_image(height, width)
