"""How sure a chart may be: its confidences fitted to how often it is right on the validation images."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment, minimize

from dentasam.data.record import ImageRecord
from dentasam.model.chart.chart import Chart
from dentasam.model.chart.dentition import IMPLANT, NUMBERS, SUPERNUMERARY_TOOTH
from dentasam.model.chart.head import ChartHead
from dentasam.model.windows.choices import iou

# A found object is a true one from this overlap (IoU) of their masks on.
_SAME = 0.5
TEETH = frozenset((*NUMBERS, SUPERNUMERARY_TOOTH))
# Weak pull towards the untrained weights, so that a handful of images does not make a chart certain.
_PULL = 1.0
_START = np.array([1.0, 1.0, 0.0, 0.0])


@dataclass(frozen=True)
class ChartScores:
    """precision, recall, f1: of finding teeth, at IoU 0.5. numbered: share of the true teeth that are also numbered
    right."""

    precision: float
    recall: float
    f1: float
    numbered: float


def calibrate(
    head: ChartHead, images: Iterable[ImageRecord], chart: Callable[[ImageRecord], tuple[Chart, np.ndarray]]
) -> ChartScores:
    """Set the head's calibration, and measure it on the same images.

    chart: the chart of an image by this head, and the terms of its confidences.
    """
    terms, right, found, true, matched = [], [], 0, 0, 0
    for image in images:
        result, own = chart(image)
        teeth = [row for row, name in enumerate(result.numbers) if name != IMPLANT]
        objects = zip(image.objects, image.boxed_masks(), strict=True)
        known = [(record.category, mask) for record, mask in objects if record.category in TEETH]
        overlaps = np.array([[iou(result.answers[row].mask, mask) for _, mask in known] for row in teeth])
        overlaps = overlaps.reshape(len(teeth), len(known))
        rows, columns = linear_sum_assignment(overlaps, maximize=True)
        pairs = {int(row): int(column) for row, column in zip(rows, columns, strict=True)}
        for place, row in enumerate(teeth):
            column = pairs.get(place)
            hit = column is not None and overlaps[place, column] >= _SAME
            matched += hit
            terms.append(own[row])
            right.append(column is not None and hit and known[column][0] == result.numbers[row])
        found, true = found + len(teeth), true + len(known)
    if terms:
        weights = _fitted(np.array(terms), np.array(right, float))
        head.calibration.copy_(torch.from_numpy(weights))
    return ChartScores(
        matched / max(1, found), matched / max(1, true), 2 * matched / max(1, found + true), sum(right) / max(1, true)
    )


def _fitted(terms: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The weights of a logistic regression, (4,); a surer term never makes a chart less sure."""

    def loss(weights: np.ndarray) -> float:
        logits = terms @ weights
        return float((np.logaddexp(0, logits) - right * logits).sum() + _PULL * ((weights - _START) ** 2).sum())

    bounds = [(0.0, None)] * (terms.shape[1] - 1) + [(None, None)]
    found: np.ndarray = minimize(loss, _START, bounds=bounds, method="L-BFGS-B").x
    return found
