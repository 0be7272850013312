"""What a chart holds: every tooth of one image with its mask, its number and how sure the model is of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dentasam.model.chart.dentition import missing_numbers
from dentasam.model.windows.objects import ObjectAnswer, masks_on_image, scores_of


@dataclass(frozen=True)
class Chart:
    """The P teeth and implants of one image, in chart order (`dentition.chart_place`).

    answers: mask, logits, score and window of each, to pass on as `previous` when it is corrected.
    boxes: (P, 4) float32 x0, y0, x1, y1 in image pixels, where the finder saw them.
    clicks: (P, 2) float32 x, y in image pixels, the positive click behind each mask.
    numbers: an FDI number (`"11"` … `"85"`), at most once each, or `"implant"`, or `"supernumerary"`.
    confidences: (P,) float32, 0..1: the probability that the object is there and its number is right.
    height, width: of the image.
    """

    answers: tuple[ObjectAnswer, ...]
    boxes: np.ndarray
    clicks: np.ndarray
    numbers: tuple[str, ...]
    confidences: np.ndarray
    height: int
    width: int

    def __len__(self) -> int:
        return len(self.answers)

    @cached_property
    def masks(self) -> np.ndarray:
        """(P, H, W) bool, at the image's resolution; made when it is first asked for. They may overlap."""
        return masks_on_image(self.answers, self.height, self.width)

    @cached_property
    def scores(self) -> np.ndarray:
        """(P,) float32 predicted IoU of each mask."""
        return scores_of(self.answers)

    @property
    def missing(self) -> tuple[str, ...]:
        """Permanent numbers of which neither the tooth nor its deciduous predecessor was found."""
        return missing_numbers(self.numbers)

    @property
    def uncertainty(self) -> float:
        """How unsure the model is of the image, 0 sure … 1 unsure: the mean doubt over its objects, 1 without any."""
        return float(1 - self.confidences.mean()) if len(self) else 1.0
