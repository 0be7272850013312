"""The chart of an image after its encoding, by part, against one encoding of the image.

    python -m benchmarks.chart [IMAGE ...] [--times 5] [--threads 2] [--json FILE]

Without images: four phantoms of 1,024 x 512 and one of 2,900 x 1,250. All parts take turns on the same images.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from dentasam.data.images.read import read_image
from dentasam.data.phantom import generate
from dentasam.model.chart.chart import Chart
from dentasam.model.chart.charting import finder_maps
from dentasam.model.chart.numbering import numbered
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.runtime import load
from dentasam.model.segmenter import Segmenter
from dentasam.model.windows.window_prediction import WindowPrediction

from .machine import Machine

SEED = 7_100_001


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="*", type=Path)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    images = [read_image(path) for path in given.images] or phantoms()
    rows = measure(images, given.times)
    columns = list(rows[0])
    print(" ".join(f"{name:>12}" for name in columns))
    for row in rows:
        print(
            " ".join(f"{row[name]:>12}" if name in ("image", "objects") else f"{row[name]:12.3f}" for name in columns)
        )
    ratios = {
        "encode_vs_chart": median(row["encode"] / row["chart"] for row in rows),
        "windows_all_vs_chart": median(row["all windows"] / row["chart"] for row in rows),
    }
    print("seconds, medians;", ", ".join(f"{name} {value:.2f}" for name, value in ratios.items()))
    if given.json:
        machine = asdict(Machine.here(torch.device("cpu")))
        content = {"machine": machine, "work": f"{len(images)} images", "rows": rows, "ratios": ratios}
        given.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def phantoms() -> list[np.ndarray]:
    """The images that are measured where none are given."""
    sizes = [(1024, 512)] * 4 + [(2900, 1250)]
    return [generate(SEED + place, width, height).image for place, (width, height) in enumerate(sizes)]


def measure(images: list[np.ndarray], times: int) -> list[dict[str, Any]]:
    """Seconds of each part for each image, medians over the rounds.

    all windows: the same objects, each in an object window of its own after the whole image's answer.
    """
    segmenter = load("dentasam-tiny", "panoramic-teeth").merged()
    head = segmenter.chart_head()
    rows = []
    for image in images:
        embedding = segmenter.encode(image)
        chart = segmenter.chart(segmenter.windows(image, embedding, objects=64))
        clicks, labels = chart.clicks[:, None], np.ones((len(chart), 1), np.int64)

        parts: dict[str, Callable[[], object]] = {
            "encode": partial(segmenter.encode, image),
            "finder": partial(finder_maps, head, embedding),
            "numbering": partial(
                numbered, head, chart.boxes, embedding.frame, masks=[answer.mask for answer in chart.answers]
            ),
            "chart": partial(_chart, segmenter, image, embedding),
            "whole": partial(segmenter.chart, embedding),
            "all windows": partial(_all_windows, segmenter, image, embedding, clicks, labels),
        }
        seconds: dict[str, list[float]] = {name: [] for name in parts}
        for _ in range(times):
            for name, run in parts.items():
                started = time.perf_counter()
                run()
                seconds[name].append(time.perf_counter() - started)
        size = f"{image.shape[1]}x{image.shape[0]}"
        rows.append({"image": size, "objects": len(chart)} | {name: median(own) for name, own in seconds.items()})
    return rows


def _chart(segmenter: Segmenter, image: np.ndarray, embedding: ImageEmbedding) -> Chart:
    # Opened with a cache of its own, so that no round finds windows of the one before.
    return segmenter.chart(segmenter.windows(image, embedding, objects=64))


def _all_windows(
    segmenter: Segmenter, image: np.ndarray, embedding: ImageEmbedding, clicks: np.ndarray, labels: np.ndarray
) -> WindowPrediction:
    return segmenter.windows(image, embedding, objects=64).predict(clicks, labels)


if __name__ == "__main__":
    main()
