"""A training step with a backward per click against one joint graph: time and peak memory, same gradient.

    python benchmarks/leaf_backward.py [--objects 4] [--clicks 5]

Each side runs in a process of its own, so that its peak is its own.
"""

import argparse
import multiprocessing
import resource
import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from dentasam.model.frame import Frame
from dentasam.model.memory import keep_freed_memory
from dentasam.model.sam_hq import SamHQ, build_sam_hq
from dentasam.prompts.clicks import correction_clicks
from dentasam.prompts.schedule import ClickSchedule
from dentasam.training.objective import Objective
from dentasam.training.step import corrected, first_prompts, train_step

FRAME = Frame.of(512, 1024)


def joint_step(model: SamHQ, pixels: torch.Tensor, coverage: torch.Tensor, clicks: int) -> None:
    """One graph from every click back to the image."""
    schedule, rng = ClickSchedule(clicks - 1, 0, random_clicks=False), np.random.default_rng(0)
    truth = (coverage > 0.5).numpy()
    embedding = model.encode(pixels, FRAME)
    prompts = first_prompts(coverage, None, FRAME, schedule, rng)
    total = torch.zeros(())
    for click in range(clicks):
        prediction = model.decode(embedding, prompts)
        total = total + Objective()(prediction, coverage).mean() / clicks
        logits = prediction.logits.detach().clamp(-32, 32)
        if click + 1 < clicks:
            prompts = corrected(prompts, correction_clicks((logits > 0).numpy(), truth), logits, FRAME)
            prompts = replace(prompts, logits=logits)
    total.backward()


def measure(kind: str, objects: int, clicks: int, answer: Any) -> None:
    """Seconds of the second of two steps, and the process's peak resident memory in GiB."""
    keep_freed_memory()
    torch.manual_seed(0)
    model = build_sam_hq("vit_tiny").eval()
    pixels = torch.randn(1, 3, *FRAME.padded)
    coverage = torch.zeros(objects, *FRAME.logits)
    for index in range(objects):
        left = 8 + index * (240 // objects)
        coverage[index, 40:76, left : left + 14] = 1
    schedule = ClickSchedule(clicks - 1, 0, random_clicks=False)
    seconds = 0.0
    for _ in range(2):
        model.zero_grad()
        started = time.perf_counter()
        if kind == "joint graph":
            joint_step(model, pixels, coverage, clicks)
        else:
            windows = kind == "backward per click, windows"
            rng = np.random.default_rng(0)
            train_step(model, pixels, FRAME, [coverage], schedule, Objective(), rng, windows=windows)
        seconds = time.perf_counter() - started
    answer.put((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=4)
    parser.add_argument("--clicks", type=int, default=5)
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    rows = {}
    for kind in ("joint graph", "backward per click", "backward per click, windows"):
        answer = context.Queue()
        process = context.Process(target=measure, args=(kind, arguments.objects, arguments.clicks, answer))
        process.start()
        rows[kind] = answer.get()
        process.join()
    print(
        f"TinyViT, 512 x 1024 image, {arguments.objects} objects, {arguments.clicks} clicks, fp32, "
        f"{torch.get_num_threads()} threads"
    )
    seconds, peak = rows["joint graph"]
    for kind, (taken, held) in rows.items():
        print(f"{kind:>28}  {taken:6.2f} s  {held:5.2f} GiB  time x{seconds / taken:.2f}  memory x{peak / held:.2f}")


if __name__ == "__main__":
    main()
