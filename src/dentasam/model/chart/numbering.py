"""Numbers for the objects of an image as a whole: what the numberer sees of them, and what becomes of its logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dentasam.model.chart.assignment import assigned
from dentasam.model.chart.dentition import (
    NOT_A_TOOTH,
    NUMBERS,
    OUTCOME_OF,
    SUPERNUMERARY_OUTCOME,
    SUPERNUMERARY_TOOTH,
)
from dentasam.model.chart.detections import box_overlaps
from dentasam.model.chart.head import ChartHead
from dentasam.model.chart.numberer import UNKNOWN
from dentasam.model.chart.shapes import shapes_of
from dentasam.model.core.frame import Frame
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.placement import Box

# An object that somebody drew is numbered unless it is not a tooth with more than this probability.
SURELY_NOT_A_TOOTH = 0.95
# A mask that overlaps its object's box by less than this (IoU) shows another object.
_MIN_FIT = 0.5


@dataclass(frozen=True)
class Numbering:
    """The numbers of P objects: an FDI number, `"supernumerary"`, or None where the object is not a tooth.

    confidences: (P,) float32, the probability of each number, 0 where there is none.
    alternatives: for each object up to three numbers with their probabilities, the likeliest first.
    """

    numbers: tuple[str | None, ...]
    confidences: np.ndarray
    alternatives: tuple[tuple[tuple[str, float], ...], ...]


@dataclass(frozen=True)
class ToothSet:
    """P objects of an image as the numberer sees them.

    boxes: (P, 4) float32 x0, y0, x1, y1 in frame pixels. shapes: (P, 24, 16) float32, see `shapes_of`.
    seen: (P,) bool, whether the shape counts. width: of the frame, in its pixels.
    """

    boxes: np.ndarray
    shapes: np.ndarray
    seen: np.ndarray
    width: int

    @classmethod
    def of(cls, boxes: np.ndarray, masks: Sequence[BoxedMask | None], frame: Frame) -> ToothSet:
        """Objects in boxes (P, 4) in image pixels. A mask that fits its box counts with its shape and its own box."""
        tight = [mask.tight() if mask is not None else BoxedMask(0, 0, np.zeros((0, 0), bool)) for mask in masks]
        given = np.asarray(boxes, np.float32).reshape(-1, 4)
        own, fits = box_fits(given, tight)
        seen = fits >= _MIN_FIT
        corners = np.where(seen[:, None], own, given).reshape(-1, 2, 2)
        return cls(
            frame.points_to_frame(corners).reshape(-1, 4).astype(np.float32), shapes_of(tight), seen, frame.size[1]
        )


def box_fits(boxes: np.ndarray, masks: Sequence[BoxedMask]) -> tuple[np.ndarray, np.ndarray]:
    """The box (P, 4) float32 of each tight mask, and how well it fits the one of `boxes` (P, 4): their IoU, (P,)."""
    own = np.array([Box.of_mask(mask) or Box(0, 0, 0, 0) for mask in masks], np.float32).reshape(-1, 4)
    return own, box_overlaps(boxes.astype(np.float64), own.astype(np.float64)).diagonal()


@torch.inference_mode()
def outcome_probabilities(
    head: ChartHead, objects: ToothSet, known: Sequence[str | None] | None = None
) -> np.ndarray:
    """Probabilities (P, 54) of the numberer's outcomes; known: the name of each object that has one already."""
    if not len(objects.boxes):
        return np.zeros((0, NOT_A_TOOTH + 1))
    names = known or [None] * len(objects.boxes)
    device = head.calibration.device
    parts = (objects.boxes, objects.shapes, objects.seen)
    boxes, shapes, seen = (torch.from_numpy(part).to(device) for part in parts)
    given = torch.tensor([UNKNOWN if name is None else OUTCOME_OF.get(name, NOT_A_TOOTH) for name in names])
    found: np.ndarray = (
        head.numberer.probabilities(boxes, shapes, seen, given.to(device), objects.width).cpu().numpy()
    )
    return found


def numbered(
    head: ChartHead,
    boxes: np.ndarray,
    frame: Frame,
    known: Sequence[str | None] | None = None,
    masks: Sequence[BoxedMask | None] | None = None,
) -> Numbering:
    """The numbers of P objects of an image as a whole, from their boxes (P, 4) in image pixels and their masks.

    known: the number of each object that has one already; it stays.
    """
    objects = ToothSet.of(boxes, masks or [None] * len(boxes), frame)
    probabilities = outcome_probabilities(head, objects, known)
    # Somebody drew these, so each is taken for a tooth unless it is all but certain that it is not one.
    drawn = probabilities[:, NOT_A_TOOTH] < SURELY_NOT_A_TOOTH
    probabilities[drawn, NOT_A_TOOTH] = 0
    probabilities[drawn] /= probabilities[drawn].sum(axis=1, keepdims=True)
    outcomes = assigned(np.log(probabilities + 1e-9), objects.boxes, known)
    given = [None if known is None else known[row] for row in range(len(boxes))]
    numbers = tuple(
        outcome_name(outcome) if name is None else name for outcome, name in zip(outcomes, given, strict=True)
    )
    sure = [
        1.0 if given[row] is not None else 0.0 if numbers[row] is None else probabilities[row, outcomes[row]]
        for row in range(len(boxes))
    ]
    return Numbering(numbers, np.array(sure, np.float32), tuple(_likeliest(row) for row in probabilities))


def outcome_name(outcome: int) -> str | None:
    """The number of an outcome, `"supernumerary"`, or None for what is not a tooth."""
    if outcome == NOT_A_TOOTH:
        return None
    return SUPERNUMERARY_TOOTH if outcome == SUPERNUMERARY_OUTCOME else NUMBERS[outcome]


def _likeliest(probabilities: np.ndarray) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-probabilities[: len(NUMBERS)], kind="stable")[:3]
    return tuple((NUMBERS[place], float(probabilities[place])) for place in order)
