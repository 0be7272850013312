"""From an encoded image to its chart: find, number, outline.

embedding   -> finder     -> middles and boxes of teeth and implants
all of them -> numberer   -> a number for each, or that it is not a tooth
each middle -> the decoder on the whole image, and for the worst masks in a window around the box -> masks
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dentasam.model.chart.assignment import assigned
from dentasam.model.chart.chart import Chart
from dentasam.model.chart.dentition import IMPLANT, NUMBERS, SUPERNUMERARY_TOOTH, chart_place
from dentasam.model.chart.detections import Detections, box_overlaps, detections
from dentasam.model.chart.finder import IMPLANT_KIND, SUPERNUMERARY, TOOTH, FinderMaps, fine_features
from dentasam.model.chart.head import ChartHead
from dentasam.model.chart.numberer import NOT_A_TOOTH, pooled_looks
from dentasam.model.core.frame import Frame
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.windows.choices import intersection
from dentasam.model.windows.objects import ObjectAnswer, ObjectPrompt
from dentasam.model.windows.placement import Box, box_window
from dentasam.model.windows.windowed_image import WindowedImage

# What the chart takes for a tooth or an implant: the probability that it is there, numbering included.
MIN_PRESENCE = 0.35
MIN_IMPLANT = 0.5
# So many masks are decoded in a window of their own: each costs a sixth of an encoding. On UFBA's validation images,
# with true boxes a little off, Dice is 0.875 with none, 0.889 with 6, 0.893 with 12 and 0.897 with all.
MAX_FINER = 6
# An object that somebody drew is numbered unless it is not a tooth with more than this probability.
SURELY_NOT_A_TOOTH = 0.95
# An implant lies in the place of a tooth that the finder may have seen too.
IMPLANT_OVERLAP = 0.5
# Of two masks, of which one covers the other by more than this share of the smaller, the less sure one goes.
MAX_COVERED = 0.7


@dataclass(frozen=True)
class Numbering:
    """The numbers of P objects: an FDI number, `"supernumerary"`, or None where the object is no tooth.

    confidences: (P,) float32, the probability of each number, 0 where there is none.
    alternatives: for each object up to three numbers with their probabilities, the likeliest first.
    """

    numbers: tuple[str | None, ...]
    confidences: np.ndarray
    alternatives: tuple[tuple[tuple[str, float], ...], ...]


@torch.inference_mode()
def finder_maps(head: ChartHead, embedding: ImageEmbedding) -> FinderMaps:
    """The finder's maps of one image, in single precision."""
    return head.finder(embedding.features.float(), fine_features(embedding).float())


@torch.inference_mode()
def outcome_probabilities(head: ChartHead, maps: FinderMaps, boxes: torch.Tensor) -> np.ndarray:
    """Probabilities (P, 54) of the numberer's outcomes for boxes (P, 4) in frame pixels."""
    if not len(boxes):
        return np.zeros((0, NOT_A_TOOTH + 1))
    seen = torch.ones(1, len(boxes), dtype=torch.bool, device=boxes.device)
    logits = head.numberer(boxes[None], pooled_looks(maps, boxes)[None], seen, seen)
    probabilities: np.ndarray = logits[0].double().softmax(-1).cpu().numpy()
    return probabilities


def numbered(
    head: ChartHead, embedding: ImageEmbedding, boxes: np.ndarray, known: Sequence[str | None] | None = None
) -> Numbering:
    """The numbers of P objects of an image as a whole, from their boxes (P, 4) in image pixels.

    known: the number of each object that has one already; it stays.
    """
    maps = finder_maps(head, embedding)
    framed = torch.from_numpy(_to_frame(boxes, embedding.frame)).to(maps.centres.device)
    probabilities = outcome_probabilities(head, maps, framed)
    # Somebody drew these, so what the finder would take for no tooth is taken for one unless that is all but certain.
    drawn = probabilities[:, NOT_A_TOOTH] < SURELY_NOT_A_TOOTH
    probabilities[drawn, NOT_A_TOOTH] = 0
    probabilities[drawn] /= probabilities[drawn].sum(axis=1, keepdims=True)
    outcomes = assigned(np.log(probabilities + 1e-9), boxes, known)
    given = [None if known is None else known[row] for row in range(len(boxes))]
    numbers = tuple(_name(outcome) if name is None else name for outcome, name in zip(outcomes, given, strict=True))
    sure = [
        1.0 if given[row] is not None else 0.0 if numbers[row] is None else probabilities[row, outcomes[row]]
        for row in range(len(boxes))
    ]
    return Numbering(numbers, np.array(sure, np.float32), tuple(_likeliest(row) for row in probabilities))


def chart_of(head: ChartHead, image: WindowedImage) -> Chart:
    """The chart of an encoded image; masks are decoded in windows where the image is opened with them."""
    return chart_with_terms(head, image)[0]


def chart_with_terms(head: ChartHead, image: WindowedImage) -> tuple[Chart, np.ndarray]:
    """`chart_of`, and what its confidences were made from, (P, 4) (see `confidence_terms`)."""
    maps = finder_maps(head, image.embedding)
    teeth, implants = (detections(maps, kind) for kind in (TOOTH, IMPLANT_KIND))
    probabilities = outcome_probabilities(head, maps, teeth.boxes)
    presence = _array(teeth.centres) * (1 - probabilities[:, NOT_A_TOOTH])
    # What is not there must not take the number of a tooth that is.
    there = np.flatnonzero(presence >= MIN_PRESENCE)
    outcomes = assigned(np.log(probabilities[there] + 1e-9), _array(teeth.boxes)[there])
    kept, outcomes = there[outcomes != NOT_A_TOOTH], outcomes[outcomes != NOT_A_TOOTH]
    chosen = probabilities[kept, outcomes]
    numbers = [_name(outcome) or "" for outcome in outcomes]
    found = _Found.of(teeth, kept, numbers, chosen) + _implants(implants, teeth, kept)
    return _outlined(head, image, found.to_image(image.frame))


@dataclass(frozen=True)
class _Found:
    """P objects before they have masks.

    clicks: (P, 2). boxes: (P, 4). centres, chosen: (P,), the probabilities that each is there and has its name.
    """

    names: list[str]
    clicks: np.ndarray
    boxes: np.ndarray
    centres: np.ndarray
    chosen: np.ndarray

    @classmethod
    def of(cls, found: Detections, rows: np.ndarray, names: list[str], chosen: np.ndarray) -> _Found:
        clicks, boxes, centres = (_array(part)[rows] for part in (found.clicks, found.boxes, found.centres))
        return cls(names, clicks, boxes, centres, chosen)

    def __add__(self, other: _Found) -> _Found:
        joined = [
            np.concatenate([getattr(self, name), getattr(other, name)])
            for name in ("clicks", "boxes", "centres", "chosen")
        ]
        return _Found(self.names + other.names, *joined)

    def at(self, rows: Sequence[int]) -> _Found:
        names = [self.names[row] for row in rows]
        return _Found(names, *(part[list(rows)] for part in (self.clicks, self.boxes, self.centres, self.chosen)))

    def to_image(self, frame: Frame) -> _Found:
        """The same in image pixels, in chart order, within the image; clicks lie on pixels as everywhere."""
        corners = frame.points_to_image(self.boxes.reshape(-1, 2, 2)).reshape(-1, 4)
        edges = np.array([frame.width, frame.height] * 2, np.float32)
        clicks = frame.points_to_image(self.clicks) - np.float32(0.5)
        inside = _Found(
            self.names,
            np.clip(clicks, 0, edges[:2] - 1),
            np.clip(corners, 0, edges),
            self.centres,
            self.chosen,
        )
        middle = (inside.boxes[:, 0] + inside.boxes[:, 2]) / 2
        return inside.at(sorted(range(len(self.names)), key=lambda row: (chart_place(self.names[row]), middle[row])))


def _implants(implants: Detections, teeth: Detections, kept: np.ndarray) -> _Found:
    """The implants that are sure enough and not in the place of a surer tooth."""
    overlaps = box_overlaps(_array(implants.boxes), _array(teeth.boxes)[kept])
    surer = _array(teeth.centres)[kept][None] >= _array(implants.centres)[:, None]
    free = ~((overlaps > IMPLANT_OVERLAP) & surer).any(axis=1)
    rows = np.flatnonzero(free & (_array(implants.centres) >= MIN_IMPLANT))
    return _Found.of(implants, rows, [IMPLANT] * len(rows), np.ones(len(rows)))


def _outlined(head: ChartHead, image: WindowedImage, found: _Found) -> tuple[Chart, np.ndarray]:
    """The chart of found objects: their masks, without those that others cover, and their confidences."""
    clicks = [np.array([[*click, 1.0]]) for click in found.clicks]
    answers = image.decode_in([ObjectPrompt(click) for click in clicks], [None] * len(clicks))
    worst = _worst(found, answers) if image.uses_windows else []
    windows = {row: box_window(Box(*map(float, found.boxes[row])), image.frame) for row in worst}
    finer = [row for row, window in windows.items() if window is not None]
    # On the whole image the decoder was trained with clicks much more than with boxes; in windows a box helps it.
    boxed = [ObjectPrompt(clicks[row], tuple(map(float, found.boxes[row]))) for row in finer]  # type: ignore[arg-type]
    for row, answer in zip(finer, image.decode_in(boxed, [windows[row] for row in finer]), strict=True):
        if answer.mask.bits.any():
            answers[row] = answer
    terms = confidence_terms(found.centres, found.chosen, np.array([answer.score for answer in answers]))
    logits = terms @ head.calibration.double().cpu().numpy()
    confidences = (1 / (1 + np.exp(-logits))).astype(np.float32)
    rows = _uncovered(answers, confidences)
    own = found.at(rows)
    chart = Chart(
        tuple(answers[row] for row in rows),
        own.boxes,
        own.clicks,
        tuple(own.names),
        confidences[rows],
        image.frame.height,
        image.frame.width,
    )
    return chart, terms[rows]


def _worst(found: _Found, answers: Sequence[ObjectAnswer]) -> list[int]:
    """The objects whose masks on the whole image fit their boxes and the decoder's own score least."""
    masks = [Box.of_mask(answer.mask.tight()) or Box(0, 0, 0, 0) for answer in answers]
    fits = box_overlaps(np.array(masks, np.float64).reshape(-1, 4), found.boxes.astype(np.float64)).diagonal()
    quality = fits * np.array([answer.score for answer in answers])
    return [int(row) for row in np.argsort(quality, kind="stable")[:MAX_FINER]]


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


def _to_frame(boxes: np.ndarray, frame: Frame) -> np.ndarray:
    """Boxes (P, 4) in image pixels in frame pixels, float32."""
    return frame.points_to_frame(np.asarray(boxes, np.float32).reshape(-1, 2, 2)).reshape(-1, 4)


def _name(outcome: int) -> str | None:
    if outcome == NOT_A_TOOTH:
        return None
    return SUPERNUMERARY_TOOTH if outcome == SUPERNUMERARY else NUMBERS[outcome]


def _likeliest(probabilities: np.ndarray) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-probabilities[: len(NUMBERS)], kind="stable")[:3]
    return tuple((NUMBERS[place], float(probabilities[place])) for place in order)


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
