"""What it is worth to repair a mask that contradicts its clicks, and which way of repairing is best.

    python -m benchmarks.local_repair DATA.json [--images 6] [--objects 11] [--clicks 11] [--model …] [--adapter …]

Objects evenly spread over evenly spread images are clicked as in evaluation, once for each way, in object windows. A
click is repeated if it falls within 0.35 % of the image's width of an earlier click of its sign.
"""

from __future__ import annotations

import argparse
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np

from dentasam.data.dataset import Dataset
from dentasam.evaluation.curve import ClickCurve, click_curve
from dentasam.model.runtime import load
from dentasam.model.segmenter import Segmenter

from .peers import repairs

SHOWN = (1, 3, 5, 8, 11)
NEAR = 0.0035


def curves(
    segmenter: Segmenter, dataset: Dataset, images: int, objects: int, clicks: int, repair: bool
) -> list[tuple[ClickCurve, int]]:
    """The click curves of some objects of some images, with each image's width."""
    found = []
    for index in np.unique(np.linspace(0, len(dataset.images) - 1, images).round().astype(int)):
        record = dataset.images[index]
        masks = record.boxed_masks()
        if masks:
            chosen = np.unique(np.linspace(0, len(masks) - 1, objects).round().astype(int))
            view = segmenter.windows(record.read(), repair=repair)
            found.append((click_curve(view, [masks[i] for i in chosen], clicks), record.width))
    return found


def repeated(curve: ClickCurve, width: int) -> tuple[int, int]:
    """How many correction clicks repeat an earlier one, and how many there are."""
    count = total = 0
    for points, labels in zip(curve.points, curve.labels, strict=True):
        for k in range(1, len(labels)):
            if labels[k] >= 0:
                before = points[:k][labels[:k] == labels[k]]
                total += 1
                count += bool(len(before) and np.hypot(*(before - points[k]).T).min() <= NEAR * width)
    return count, total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--objects", type=int, default=11, help="of each image")
    parser.add_argument("--clicks", type=int, default=11)
    parser.add_argument("--model", default="dentasam-tiny")
    parser.add_argument("--adapter", default="panoramic-teeth")
    given = parser.parse_args()
    segmenter = load(given.model, None if given.adapter == "none" else given.adapter, "cpu", "fp32").merged()
    dataset = Dataset.load(given.data)
    ways: dict[str, tuple[bool, AbstractContextManager[None]]] = {
        "no repair": (False, nullcontext()),
        "bump (dentasam)": (True, nullcontext()),
        "geodesic bump": (True, repairs.geodesic()),
        "mask vector (f-BRS), then bump": (True, repairs.mask_vector()),
    }
    shown = [k for k in SHOWN if k <= given.clicks]
    print(f"{'':32}" + "".join(f"{f'Dice@{k}':>9}" for k in shown) + "  repeated  contradicted  seconds")
    for name, (repair, context) in ways.items():
        started = time.process_time()
        with context:
            found = curves(segmenter, dataset, given.images, given.objects, given.clicks, repair)
        seconds = time.process_time() - started
        dice = np.concatenate([curve.dice for curve, _ in found]).mean(axis=0)
        counts = np.array([repeated(curve, width) for curve, width in found]).sum(axis=0)
        contradicted = sum(int(curve.unheeded[:, 1:].sum()) for curve, _ in found)
        print(
            f"{name:32}"
            + "".join(f"{dice[k - 1]:9.4f}" for k in shown)
            + f"{counts[0] / max(1, counts[1]):10.3f}{contradicted / max(1, counts[1]):14.3f}{seconds:9.1f}",
            flush=True,
        )
    print(f"{sum(len(curve.dice) for curve, _ in found)} objects, {given.clicks} clicks; seconds of processor time")


if __name__ == "__main__":
    main()
