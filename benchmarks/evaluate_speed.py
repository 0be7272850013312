"""Evaluating many full-size objects in object windows, against whole images with full-size masks as it was before.

    python -m benchmarks.evaluate_speed [--images 4] [--clicks 11] [--model …] [--adapter …] [--json FILE]

Phantoms of 2,900 x 1,250 with all their teeth. All ways take the same images in turn, from the file to run lengths,
and are compared by processor time, which other work on the machine disturbs less than the clock. The parts are
encoding (of the image and of windows), decoding, clicks, metrics (overlap, surface, run lengths) and the rest. The
last way is what `dentasam evaluate` does with several images: one a thread, as many at a time as there are threads.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from dentasam.data.dataset import Dataset
from dentasam.data.phantom import write_phantoms
from dentasam.evaluation import curve
from dentasam.evaluation import evaluate as evaluation
from dentasam.evaluation.result import tooth_type
from dentasam.model.runtime import load
from dentasam.model.segmenter import Segmenter
from dentasam.model.windows.window_encoder import WindowEncoder
from dentasam.model.windows.windowed_image import WindowedImage

from .machine import Machine
from .peers.whole_image_evaluation import evaluate_image

PARTS = ("encode", "decode", "clicks", "metrics", "rest")
SEED = 7_000_003
# Where the new way spends its time: what is called, and the part that it belongs to.
CALLS: tuple[tuple[Any, str, str], ...] = (
    (Segmenter, "encode", "encode"),
    (WindowEncoder, "encode", "encode"),
    (WindowedImage, "decode", "decode"),
    (curve, "boxed_interior_centre", "clicks"),
    (curve, "boxed_correction_click", "clicks"),
    (curve, "boxed_overlap", "metrics"),
    (evaluation, "boxed_surface_fit", "metrics"),
    (evaluation, "mask_rle", "metrics"),
)


@dataclass
class Stopwatch:
    """Processor seconds by part; a part that runs inside another is counted in its own alone."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    wall: float = 0.0
    _inner: list[float] = field(default_factory=list)

    def timed(self, part: str, run: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """What `run` returns for these arguments."""
        started = time.process_time()
        self._inner.append(0.0)
        try:
            return run(*given, **named)
        finally:
            spent = time.process_time() - started
            self.seconds[part] += spent - self._inner.pop()
            if self._inner:
                self._inner[-1] += spent

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    @contextmanager
    def around(self) -> Iterator[None]:
        """Everything inside that no other part claims is the rest."""
        started = time.perf_counter()
        with self._as("rest"):
            yield
        self.wall += time.perf_counter() - started

    @contextmanager
    def _as(self, part: str) -> Iterator[None]:
        started = time.process_time()
        self._inner.append(0.0)
        yield
        self.seconds[part] += time.process_time() - started - self._inner.pop()


@contextmanager
def watched(watch: Stopwatch) -> Iterator[None]:
    """The calls of the new way are timed by their parts."""
    kept = [(owner, name, getattr(owner, name)) for owner, name, _ in CALLS]
    for (owner, name, part), (_, _, own) in zip(CALLS, kept, strict=True):

        def call(*given: Any, own: Any = own, part: str = part, **named: Any) -> Any:
            return watch.timed(part, own, *given, **named)

        setattr(owner, name, call)
    try:
        yield
    finally:
        for owner, name, own in kept:
            setattr(owner, name, own)


def teeth(dataset: Dataset) -> Dataset:
    """The dataset with the teeth alone."""
    images = (
        replace(image, objects=tuple(item for item in image.objects if tooth_type(item.category) != "other"))
        for image in dataset.images
    )
    return replace(dataset, images=tuple(images))


def measure(
    segmenter: Segmenter, dataset: Dataset, clicks: int
) -> tuple[dict[str, Stopwatch], dict[str, list[np.ndarray]]]:
    """Dice (P, clicks) of each image and the time, three ways in turn: as before, in object windows, and the present
    code on the whole image without repair, which gives the numbers of before. Then all images in object windows."""
    one_by_one = ("whole image, before", "object windows", "whole image, now")
    watches = {name: Stopwatch() for name in (*one_by_one, "object windows, several images")}
    dice: dict[str, list[np.ndarray]] = {name: [] for name in watches}
    for record in dataset.images:
        one = replace(dataset, images=(record,))
        for name in one_by_one:
            watch = watches[name]
            with watch.around():
                if name == "whole image, before":
                    dice[name].append(evaluate_image(segmenter, record, clicks, watch.timed))
                    continue
                windows = name == "object windows"
                with watched(watch):
                    result = evaluation.evaluate(segmenter, one, clicks, windows=windows, repair=windows)
                dice[name].append(result.dice())
    together = watches["object windows, several images"]
    with together.around():
        dice["object windows, several images"] = [evaluation.evaluate(segmenter, dataset, clicks).dice()]
    return watches, dice


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--clicks", type=int, default=11)
    parser.add_argument("--width", type=int, default=2900)
    parser.add_argument("--height", type=int, default=1250)
    parser.add_argument("--model", default="dentasam-tiny")
    parser.add_argument("--adapter", default="panoramic-teeth")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch")
    parser.add_argument(
        "--precision", choices=("auto", "fp32", "bf16"), default="auto", help="of the encoder, all ways"
    )
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    cv2.setNumThreads(given.threads)
    segmenter = load(given.model, None if given.adapter == "none" else given.adapter, "cpu", given.precision).merged()
    with tempfile.TemporaryDirectory() as folder:
        path = write_phantoms(Path(folder), given.images, SEED, given.width, given.height)
        dataset = teeth(Dataset.load(path))
        segmenter.windows(dataset.images[0].read())  # warm up
        watches, dice = measure(segmenter, dataset, given.clicks)

    objects = dataset.objects
    print(
        f"{given.images} phantom(s) of {given.width} x {given.height}, {objects} teeth, {given.clicks} clicks each, "
        f"{given.model}, adapter {given.adapter}, {segmenter.precision}, {given.threads} thread(s); "
        "seconds of processor time"
    )
    print(f"{'':31}" + "".join(f"{part:>9}" for part in (*PARTS, "sum", "wall", "a tooth")))
    rows = []
    for name, watch in watches.items():
        values = {**watch.seconds, "sum": watch.total, "wall": watch.wall, "a tooth": watch.total / objects}
        print(f"{name:31}" + "".join(f"{value:9.2f}" for value in values.values()))
        mean = np.concatenate(dice[name]).mean(axis=0)
        print(f"{'':31}Dice@1 {mean[0]:.4f}, Dice@{given.clicks} {mean[-1]:.4f}")
        rows.append({"name": name, **values, "dice_at_clicks": mean.tolist()})
    before, windowed, now, together = watches.values()
    ratios = {
        "evaluate_vs_whole_image": before.total / together.total,
        "evaluate_wall_vs_whole_image": before.wall / together.wall,
        "evaluate_one_image_vs_whole_image": before.total / windowed.total,
        "evaluate_boxes_vs_whole_image": before.total / now.total,
    }
    for ratio, value in ratios.items():
        print(f"{ratio}  x{value:.2f}")
    if given.json is not None:
        machine = Machine.here(torch.device("cpu"))
        work = {"images": given.images, "size": f"{given.width} x {given.height}", "objects": objects}
        work |= {
            "clicks": given.clicks,
            "model": given.model,
            "adapter": given.adapter,
            "threads": given.threads,
            "precision": given.precision,
        }
        content = {"machine": machine.as_dict(), "work": work, "rows": rows, "ratios": ratios}
        given.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
