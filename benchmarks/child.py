"""The process of one side: started by `measuring.SideProcess`, given its requests as lines of JSON.

Started as a script, it loads the package around it under a name of its own, so that it works from a checkout and from
inside the installed package alike.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, TextIO

PACKAGE = "dentasam_benchmarks"
# A turn of short work is the mean of as many runs as take this long: the first alone would measure how a processor
# comes to speed again after the other sides' turns.
MIN_SECONDS = 0.2


def load_package(folder: Path) -> None:
    """Make the folder importable as PACKAGE."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules[PACKAGE] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[PACKAGE])


class Worker:
    """A prepared side and what its watched run found."""

    def __init__(self, request: dict[str, Any]) -> None:
        import torch

        from dentasam.model.core.memory import keep_freed_memory
        from dentasam.model.core.precision import arithmetic, autocast_type

        torch.set_num_threads(request["threads"])
        if request["keep_freed"]:
            keep_freed_memory()
        file, function = request["setup"].split(":")
        setup = getattr(importlib.import_module(f"{PACKAGE}.{file}"), function)
        self.watching = importlib.import_module(f"{PACKAGE}.watching")
        self.device = torch.device(request["device"])
        self.watching.limit_memory(self.device)
        # Enabled around each run alone, so that what is prepared stays in single precision.
        self.arithmetic = arithmetic(autocast_type(request["precision"], self.device), self.device)
        torch.manual_seed(0)
        self.work = setup(device=self.device, **request["arguments"])
        self.watched: dict[str, Any] = {}
        self.times = 1

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what one line asks for."""
        if "warm" in request:
            if self.work.warm is None:
                self._run()
            else:
                with self.arithmetic:
                    self.work.warm()
            return {}
        if "run" in request:
            seconds = self._run()
            facts = self.work.facts() if self.work.facts else {}
            return {"seconds": seconds, "bytes": self.work.bytes, "facts": facts, **self.watched}
        if self.work.answer is not None:
            import numpy as np

            np.savez(request["answer"], **self.work.answer())
        return {}

    def _run(self) -> float:
        if self.watched:
            seconds = self.watching.timed(self._work, self.device, self.times)
        else:
            seconds, self.watched = self.watching.watched(self._work, self.device)
            self.times = max(1, round(MIN_SECONDS / seconds))
        self.watching.give_back_if_short(self.device)
        return float(seconds)

    def _work(self) -> None:
        with self.arithmetic:
            self.work.run()


def in_one_line(error: Exception) -> str:
    """The message of an error; torch marks running out of memory by a class of its own on CUDA alone."""
    words = " ".join(str(error).split())
    if isinstance(error, MemoryError) or "can't allocate memory" in words or "out of memory" in words:
        return "it needs more memory than was free"
    return words or type(error).__name__


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer each line with a line, until there are no more."""
    worker: Worker | None = None
    for line in requests:
        request = json.loads(line)
        try:
            if worker is None:
                worker, answer = Worker(request), {}
            else:
                answer = worker.answer(request)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": in_one_line(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    load_package(Path(__file__).parent)
    # What a library prints belongs on stderr: stdout carries the answers.
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        serve(sys.stdin, answers)
