"""What an image costs: seconds for 1 to 64 objects, 1 to 11 clicks on each, and images of 512 to 2048 pixels' width.

    python -m benchmarks.cost [--model NAME|PATH] [--plot FILE] [--json FILE] [--quick]

One encoding, then a request a click for all objects at once: masks at the image's own resolution, the logits fed
back, the next click where prediction and truth disagree. Finding it is the annotator's work and not in the time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console

from dentasam.data.phantom import generate
from dentasam.model.checkpoints.registry import BUNDLED
from dentasam.model.runtime import load
from dentasam.model.segmenter import Segmenter
from dentasam.prompts.correction_clicks import correction_clicks, interior_centre

from .options import Options
from .report import Report
from .watching import synchronise

OBJECTS, CLICKS, WIDTHS, ROUNDS = (1, 4, 16, 32, 64), 11, (512, 1024, 2048), 3


def scene(width: int) -> tuple[np.ndarray, np.ndarray]:
    """A synthetic X-ray (H, W) twice as wide as high, and the masks of its objects (P, H, W)."""
    drawn = generate(3)
    image = cv2.resize(drawn.image, (width, width // 2), interpolation=cv2.INTER_AREA)
    masks = [cv2.resize(each.mask.astype(np.uint8), (width, width // 2), interpolation=0) for each in drawn.objects]
    return image, np.stack([mask > 0 for mask in masks if mask.any()])


def seconds_of(segmenter: Segmenter, image: np.ndarray, truth: np.ndarray, clicks: int) -> list[float]:
    """Seconds of the encoding and of each click on all objects."""

    def timed(action: object, *arguments: object) -> tuple[float, object]:
        synchronise(segmenter.device)
        started = time.perf_counter()
        found = action(*arguments)  # type: ignore[operator]
        synchronise(segmenter.device)
        return time.perf_counter() - started, found

    spent, embedding = timed(lambda image: segmenter.for_clicks(segmenter.encode(image)), image)
    taken = [spent]
    points, labels, logits = interior_centre(truth)[:, None], np.ones((len(truth), 1), np.int64), None
    for _ in range(clicks):
        spent, prediction = timed(segmenter.predict, embedding, points, labels, None, logits)
        taken.append(spent)
        logits = prediction.logits  # type: ignore[attr-defined]
        clicked = correction_clicks(prediction.masks, truth)  # type: ignore[attr-defined]
        at = np.where(clicked.found[:, None], clicked.points, points[:, -1])
        points = np.concatenate([points, at[:, None]], axis=1)
        label = np.where(clicked.found, clicked.labels, labels[:, -1])
        labels = np.concatenate([labels, label[:, None]], axis=1)
    return taken


def run(options: Options, adapter: str | None = None) -> Report:
    """The whole benchmark; rows hold the seconds until each click, encoding included."""
    model = options.model or BUNDLED
    objects, clicks, widths, rounds = ((1, 4), 2, (512,), 1) if options.quick else (OBJECTS, CLICKS, WIDTHS, ROUNDS)
    segmenter = load(model, adapter, options.on(), "fp32").merged()
    report = options.report(
        "What an image costs", model=model, clicks=f"1 to {clicks}", image="twice as wide as high"
    )
    scenes = {width: scene(width) for width in widths}
    found: dict[tuple[int, int], list[list[float]]] = {(width, count): [] for width in widths for count in objects}
    with options.note("") as status:
        for turn in range(rounds + 1):
            for (width, count), taken in found.items():
                status.update(f"{width} pixels, {count} objects: run {turn}")
                image, masks = scenes[width]
                times = seconds_of(segmenter, image, masks[np.arange(count) % len(masks)], clicks)
                if turn:  # the first warms up
                    taken.append(times)
    for (width, count), taken in found.items():
        middle = [statistics.median(values) for values in zip(*taken, strict=True)]
        totals = [sum(times) for times in taken]
        report.rows.append(
            {
                "group": f"{width} x {width // 2} pixels",
                "name": f"{count} objects x {clicks} clicks",
                "objects": count,
                "width": width,
                "seconds": sum(middle),
                "fastest": min(totals),
                "slowest": max(totals),
                "runs": rounds,
                "encode_seconds": middle[0],
                "first_click_seconds": sum(middle[:2]),
                "seconds_until_click": np.cumsum(middle)[1:].tolist(),
            }
        )
    seconds = {(row["width"], row["objects"]): row["seconds"] for row in report.rows}
    for width in widths:
        most, one = seconds[width, objects[-1]], seconds[width, 1]
        report.ratios[f"{objects[-1]}_images_of_1_vs_1_of_{objects[-1]}_at_{width}"] = objects[-1] * one / most
    return report


def plot(report: Report, path: Path) -> None:
    """Seconds until each click, a panel for each width and a line for each number of objects."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    widths = sorted({row["width"] for row in report.rows})
    figure = Figure(figsize=(3.2 * len(widths) + 0.8, 3.2), layout="constrained")
    panels = figure.subplots(1, len(widths), sharey=True, squeeze=False)[0]
    for panel, width in zip(panels, widths, strict=True):
        for row in sorted(report.rows, key=lambda row: -row["objects"]):
            if row["width"] == width:
                until = row["seconds_until_click"]
                panel.plot(range(1, len(until) + 1), until, marker="o", markersize=3, label=str(row["objects"]))
        panel.set(title=f"{width} x {width // 2} pixels", xlabel="clicks on each object", yscale="log")
        panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        panel.yaxis.set_minor_formatter(NullFormatter())
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("seconds for the image")
    figure.legend(*panels[-1].get_legend_handles_labels(), title="objects", loc="outside right center")
    figure.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else None)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model")
    parser.add_argument("--adapter")
    parser.add_argument("--device")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="an image file, PNG or SVG, such as docs/images/cost.svg")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args(arguments)
    report = run(Options(given.model, given.device, given.quick), given.adapter)
    report.show(Console())
    if given.json is not None:
        report.write(given.json)
    if given.plot is not None:
        plot(report, given.plot)


if __name__ == "__main__":
    main()
