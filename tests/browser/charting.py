"""A labelling server whose model charts, run as a program: what a file says stands in for a trained chart head.

    python charting.py CHART.npz label FOLDER …

CHART.npz has the chart of every image: masks (P, H, W) bool, numbers (P,), confidences (P,); and of all teeth
`true_masks` and `true_numbers`, from which boxes are numbered. While a file CHART.npz.hold exists, charts wait.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dentasam.cli.app import main
from dentasam.labelling.inference.served_model import ServedModel
from dentasam.model.chart.chart import Chart
from dentasam.model.chart.numbering import Numbering
from dentasam.model.windows.objects import ObjectAnswer
from dentasam.model.windows.window import BoxedMask
from dentasam.model.windows.windowed_image import WindowedImage

SURE = 0.95


class ChartHead:
    """Answers from a file."""

    def __init__(self, path: Path) -> None:
        self._hold = path.with_name(f"{path.name}.hold")
        with np.load(path) as found:
            self._masks, self._confidences = found["masks"], found["confidences"].astype(np.float32)
            self._numbers = tuple(str(number) for number in found["numbers"])
            self._true = {
                str(number): box_of(mask)
                for number, mask in zip(found["true_numbers"], found["true_masks"], strict=True)
            }

    def chart(self, served: ServedModel, image: WindowedImage) -> Chart:
        while self._hold.exists():
            time.sleep(0.05)
        answers = tuple(
            ObjectAnswer(BoxedMask(0, 0, mask), np.where(mask[::4, ::4], 4, -4).astype(np.float32), 0.9)
            for mask in self._masks
        )
        boxes = np.array([box_of(mask) for mask in self._masks], np.float32)
        clicks = np.array([middle(mask) for mask in self._masks], np.float32)
        height, width = self._masks.shape[1:]
        return Chart(answers, boxes, clicks, self._numbers, self._confidences, height, width)

    def number(
        self,
        served: ServedModel,
        boxes: np.ndarray,
        size: tuple[int, int],
        known: Sequence[str | None],
        masks: Sequence[BoxedMask | None],
    ) -> Numbering:
        found, others = [], []
        for box, number in zip(boxes, known, strict=True):
            free = sorted((true for true in self._true if true not in known), key=lambda true: self._far(true, box))
            found.append(number or free[0])
            others.append(tuple((true, (1 - SURE) / 2) for true in free[1:3]))
        return Numbering(tuple(found), np.full(len(found), SURE, np.float32), tuple(others))

    def _far(self, number: str, box: np.ndarray) -> float:
        return float(np.abs(self._true[number] - box).sum())


def box_of(mask: np.ndarray) -> np.ndarray:
    """x0, y0, x1, y1 of a mask (H, W) bool."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


def middle(mask: np.ndarray) -> tuple[float, float]:
    """x, y of the pixel of a mask that is nearest to its mean."""
    rows, columns = np.nonzero(mask)
    nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
    return float(columns[nearest]), float(rows[nearest])


if __name__ == "__main__":
    head = ChartHead(Path(sys.argv.pop(1)))
    ServedModel.chart_key = property(lambda served: f"stand-in of {served.key}")  # type: ignore[method-assign,assignment]
    ServedModel.chart = lambda served, image: head.chart(served, image)  # type: ignore[method-assign,assignment]
    ServedModel.number = lambda served, *asked: head.number(served, *asked)  # type: ignore[method-assign]
    sys.exit(main())
