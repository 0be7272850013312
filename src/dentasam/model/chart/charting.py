"""From an encoded image to its chart: find, outline, number.

embedding     -> finder     -> middles and boxes of teeth and implants
each middle   -> the decoder on the whole image -> masks
all of them   -> numberer   -> a number for each, or that it is not a tooth
worst masks   -> the decoder in a window around the box
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dentasam.model.chart.assignment import assigned
from dentasam.model.chart.chart import Chart
from dentasam.model.chart.dentition import IMPLANT, NOT_A_TOOTH, chart_place
from dentasam.model.chart.detections import box_overlaps, detections
from dentasam.model.chart.finder import IMPLANT_KIND, TOOTH, FinderMaps, fine_features
from dentasam.model.chart.head import ChartHead
from dentasam.model.chart.numbering import ToothSet, box_fits, outcome_name, outcome_probabilities
from dentasam.model.core.frame import Frame
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.windows.choices import intersection
from dentasam.model.windows.objects import ObjectAnswer, ObjectPrompt
from dentasam.model.windows.placement import Box, box_window
from dentasam.model.windows.windowed_image import WindowedImage

# What the chart takes for a tooth or an implant: the probability that it is there, numbering included.
MIN_PRESENCE = 0.35
MIN_IMPLANT = 0.5
# At least so many masks are decoded in a window of their own: each costs a sixth of an encoding. On UFBA's validation
# images, with true boxes a little off, Dice is 0.875 with none, 0.889 with 6, 0.893 with 12 and 0.897 with all.
MAX_FINER = 5
# A mask whose box shares less than this (IoU) with the finder's is of another object, or of several: crowded and
# unerupted teeth.
MISSED_BOX = 0.5
# An implant lies in the place of a tooth that the finder may have seen too.
IMPLANT_OVERLAP = 0.5
# Of two masks, of which one covers the other by more than this share of the smaller, the less sure one goes.
MAX_COVERED = 0.7


@torch.inference_mode()
def finder_maps(head: ChartHead, embedding: ImageEmbedding) -> FinderMaps:
    """The finder's maps of one image, in single precision."""
    return head.finder(embedding.features.float(), fine_features(embedding).float())


def chart_of(head: ChartHead, image: WindowedImage, finer: int | None = MAX_FINER) -> Chart:
    """The chart of an encoded image.

    finer: so many of its masks, the worst first, and all that miss their boxes, are decoded in object windows, where
    the image is opened with them; 0 for none, None for all.
    """
    return chart_with_terms(head, image, finer)[0]


def chart_with_terms(
    head: ChartHead, image: WindowedImage, finer: int | None = MAX_FINER
) -> tuple[Chart, np.ndarray]:
    """`chart_of`, and what its confidences were made from, (P, 4) (see `confidence_terms`)."""
    maps = finder_maps(head, image.embedding)
    teeth = found_objects(maps, TOOTH, image, MIN_PRESENCE)
    probabilities = outcome_probabilities(head, teeth.as_set(image.frame))
    presence = teeth.centres * (1 - probabilities[:, NOT_A_TOOTH])
    # What is not there must not take the number of a tooth that is.
    there = np.flatnonzero(presence >= MIN_PRESENCE)
    outcomes = assigned(np.log(probabilities[there] + 1e-9), teeth.boxes[there])
    kept, outcomes = there[outcomes != NOT_A_TOOTH], outcomes[outcomes != NOT_A_TOOTH]
    teeth = teeth.at(kept)
    implants = _free_implants(found_objects(maps, IMPLANT_KIND, image, MIN_IMPLANT), teeth)
    names = [outcome_name(outcome) or "" for outcome in outcomes] + [IMPLANT] * len(implants.answers)
    # Implants have a map of their own, so an implant's name is as sure as that it is there.
    chosen = np.concatenate([probabilities[kept, outcomes], implants.centres])
    return _finished(head, image, teeth.joined(implants), names, chosen, finer)


@dataclass(frozen=True)
class FoundObjects:
    """P objects of one kind, the surest first, with their masks but without numbers; in image pixels, within it.

    clicks: (P, 2) float32, on pixels as everywhere. boxes: (P, 4) float32. centres: (P,), the probability that each
    is there. answers: the decoder's on the whole image.
    """

    clicks: np.ndarray
    boxes: np.ndarray
    centres: np.ndarray
    answers: tuple[ObjectAnswer, ...]

    def at(self, rows: Sequence[int] | np.ndarray) -> FoundObjects:
        """Those of some rows, in that order."""
        chosen = np.asarray(rows, np.int64)
        answers = tuple(self.answers[row] for row in chosen)
        return FoundObjects(self.clicks[chosen], self.boxes[chosen], self.centres[chosen], answers)

    def joined(self, other: FoundObjects) -> FoundObjects:
        """These, then the others."""
        clicks, boxes, centres = (
            np.concatenate([getattr(self, name), getattr(other, name)]) for name in ("clicks", "boxes", "centres")
        )
        return FoundObjects(clicks, boxes, centres, self.answers + other.answers)

    def as_set(self, frame: Frame) -> ToothSet:
        """As the numberer sees them."""
        return ToothSet.of(self.boxes, [answer.mask for answer in self.answers], frame)


def found_objects(maps: FinderMaps, kind: int, image: WindowedImage, min_centre: float) -> FoundObjects:
    """The objects of one kind in an image's maps, each with the mask that a click in its middle gives."""
    found = detections(maps, kind, min_centre)
    frame = image.frame
    edges = np.array([frame.width, frame.height] * 2, np.float32)
    boxes = np.clip(frame.points_to_image(_array(found.boxes).reshape(-1, 2, 2)).reshape(-1, 4), 0, edges)
    clicks = np.clip(frame.points_to_image(_array(found.clicks)) - np.float32(0.5), 0, edges[:2] - 1)
    answers = image.decode_in([ObjectPrompt(_positive(click)) for click in clicks], [None] * len(clicks))
    return FoundObjects(clicks, boxes, _array(found.centres), tuple(answers))


def _free_implants(implants: FoundObjects, teeth: FoundObjects) -> FoundObjects:
    """The implants that are not in the place of a surer tooth."""
    overlaps = box_overlaps(implants.boxes, teeth.boxes)
    surer = teeth.centres[None] >= implants.centres[:, None]
    return implants.at(np.flatnonzero(~((overlaps > IMPLANT_OVERLAP) & surer).any(axis=1)))


def _finished(
    head: ChartHead,
    image: WindowedImage,
    found: FoundObjects,
    names: Sequence[str],
    chosen: np.ndarray,
    finer: int | None,
) -> tuple[Chart, np.ndarray]:
    """The chart of named objects: its worst masks anew, without those that others cover, in chart order.

    chosen: (P,) the probability of each name.
    """
    middle = (found.boxes[:, 0] + found.boxes[:, 2]) / 2
    order = sorted(range(len(names)), key=lambda row: (chart_place(names[row]), middle[row]))
    found, names, chosen = found.at(order), [names[row] for row in order], chosen[order]
    answers = _finer(found, image, finer) if image.uses_windows else list(found.answers)
    # By the whole image's answers, so that confidences do not depend on how many masks are decoded again.
    terms = confidence_terms(found.centres, chosen, np.array([answer.score for answer in found.answers]))
    logits = terms @ head.calibration.double().cpu().numpy()
    confidences = (1 / (1 + np.exp(-logits))).astype(np.float32)
    rows = _uncovered(answers, confidences)
    chart = Chart(
        tuple(answers[row] for row in rows),
        found.boxes[rows],
        found.clicks[rows],
        tuple(names[row] for row in rows),
        confidences[rows],
        image.frame.height,
        image.frame.width,
    )
    return chart, terms[rows]


def _finer(found: FoundObjects, image: WindowedImage, count: int | None) -> list[ObjectAnswer]:
    """The answers, of which the worst are decoded again in a window of their own."""
    answers = list(found.answers)
    windows = {row: box_window(Box(*map(float, found.boxes[row])), image.frame) for row in _worst(found, count)}
    finer = [row for row, window in windows.items() if window is not None]
    # On the whole image the decoder was trained with clicks much more than with boxes; in windows a box helps it.
    boxed = [ObjectPrompt(_positive(found.clicks[row]), Box(*map(float, found.boxes[row]))) for row in finer]
    for row, answer in zip(finer, image.decode_in(boxed, [windows[row] for row in finer]), strict=True):
        if answer.mask.bits.any():
            answers[row] = answer
    return answers


def _worst(found: FoundObjects, count: int | None) -> list[int]:
    """The objects whose masks fit their boxes and the decoder's own score least, and all that miss their boxes."""
    _, fits = box_fits(found.boxes, [answer.mask.tight() for answer in found.answers])
    quality = fits * np.array([answer.score for answer in found.answers])
    worst = np.argsort(quality, kind="stable")
    if count is not None and count > 0:
        missed = fits[worst] < MISSED_BOX
        worst = worst[missed | (np.arange(len(worst)) < count)]
    return [int(row) for row in worst[: None if count != 0 else 0]]


def confidence_terms(centres: np.ndarray, chosen: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """What `ChartHead.calibration` weighs, (P, 4): log odds of centre, number and mask score, and 1."""
    terms = [np.clip(part, 1e-4, 1 - 1e-4) for part in (centres, chosen, scores)]
    return np.stack([*(np.log(part / (1 - part)) for part in terms), np.ones(len(centres))], axis=1)


def _uncovered(answers: Sequence[ObjectAnswer], confidences: np.ndarray) -> list[int]:
    """The objects, in their order, that have a mask and are not mostly covered by a surer one's."""
    kept: list[int] = []
    for row in np.argsort(-confidences, kind="stable"):
        own = answers[row].mask
        area = int(own.bits.sum())
        if area and all(intersection(own, answers[other].mask) <= MAX_COVERED * area for other in kept):
            kept.append(int(row))
    return sorted(kept)


def _positive(click: np.ndarray) -> np.ndarray:
    return np.array([[*click, 1.0]])


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
