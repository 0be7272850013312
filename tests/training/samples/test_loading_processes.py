"""Loading processes end with their run, however that ends.

Also the script of such a run: it prints the ids of its loading processes, and takes no step after the first.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

import numpy as np

from dentasam.training.recipe.step_plan import RunPlan
from dentasam.training.samples.sample import StepSamples, step_loader

WORKERS = 2


class Large:
    """Larger than a pipe holds, as an image at its full size: who loads one waits until it is taken."""

    def __init__(self) -> None:
        self.gray = np.zeros(1 << 20, np.uint8)


class LargeSteps:
    def __init__(self, plan: RunPlan) -> None:
        self.plan = plan

    def __len__(self) -> int:
        return 100

    def __getitem__(self, step: int) -> Any:
        return [Large()]


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        pass
    if sys.platform == "linux":
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_they_end_after_the_run_was_killed() -> None:
    run = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
    assert run.stdout is not None
    loading = [int(word) for word in run.stdout.readline().split()]
    try:
        assert len(loading) == WORKERS
        assert all(map(is_running, loading))
        time.sleep(0.5)  # so that all of them wait to hand over a step
        run.kill()
        run.wait()
        deadline = time.monotonic() + 30
        while any(map(is_running, loading)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(map(is_running, loading))
    finally:
        run.kill()
        run.wait()
        run.stdout.close()
        for process in filter(is_running, loading):
            os.kill(process, signal.SIGKILL)


if __name__ == "__main__":
    from dentasam.training.recipe.recipe_file import load_recipe

    plan = RunPlan.of(load_recipe("encoder+decoder", [f"workers={WORKERS}"]), 6)
    steps = iter(step_loader(cast(StepSamples, LargeSteps(plan)), 0))
    next(steps)
    print(*(worker.pid for worker in cast(Any, steps)._workers), flush=True)
    time.sleep(60)
