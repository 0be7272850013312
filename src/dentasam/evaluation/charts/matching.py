"""Which found object is which true one: one to one, by their masks alone and not by their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dentasam.evaluation.metrics import boxed_overlap
from dentasam.model.windows.boxed_mask import BoxedMask

IOU_THRESHOLD = 0.5


@dataclass(frozen=True)
class Match:
    """true, found: indices. iou, dice: of the two masks."""

    true: int
    found: int
    iou: float
    dice: float


def matches(true: Sequence[BoxedMask], found: Sequence[BoxedMask], threshold: float = IOU_THRESHOLD) -> list[Match]:
    """The pairs of the matching with the greatest sum of IoUs, among pairs whose IoU is at least `threshold`.

    Each object is in one pair at most. The pairs come in the order of `true`.
    """
    # It takes a second to import.
    from scipy.optimize import linear_sum_assignment

    iou, dice = np.zeros((len(true), len(found))), np.zeros((len(true), len(found)))
    for i, own in enumerate(true):
        for j, other in enumerate(found):
            if _boxes_meet(own, other):
                dice[i, j], iou[i, j] = boxed_overlap(other, own)
    rows, columns = linear_sum_assignment(np.where(iou >= threshold, iou, 0.0), maximize=True)
    return [
        Match(int(i), int(j), float(iou[i, j]), float(dice[i, j]))
        for i, j in zip(rows, columns, strict=True)
        if iou[i, j] >= threshold
    ]


def _boxes_meet(a: BoxedMask, b: BoxedMask) -> bool:
    (height, width), (other_height, other_width) = a.bits.shape, b.bits.shape
    return (
        a.x < b.x + other_width and b.x < a.x + width and a.y < b.y + other_height and b.y < a.y + height
    )  # fmt: skip
