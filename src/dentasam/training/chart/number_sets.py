"""The sets of teeth that the numberer learns from, and how they are varied.

Of the 334 training images of one clinic hardly any lacks many teeth. So teeth are taken away, alone, by type or in a
row, the others perhaps drift into their gaps, and in a share of the sets only where they stand counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dentasam.model.chart.charting import finder_maps, found_objects
from dentasam.model.chart.dentition import ARCHES, MIRRORED_OUTCOMES, NOT_A_TOOTH, NUMBERS, OUTCOME_OF
from dentasam.model.chart.detections import box_overlaps
from dentasam.model.chart.finder import TOOTH
from dentasam.model.chart.head import ChartHead
from dentasam.model.chart.numberer import UNKNOWN
from dentasam.model.windows.windowed_image import WindowedImage
from dentasam.training.chart.views import ChartTargets
from dentasam.training.recipe.chart_recipe import NumbererTraining

# A finder's box is the tooth with which it shares this much (IoU).
_SAME = 0.5
_LOWEST_CENTRE = 0.1
# Chances of what is done to a set.
_BY_TYPE, _IN_ROW, _WHOLE_ARCH, _CLOSED, _UNSEEN_ALONE = 0.3, 0.2, 0.04, 0.7, 0.08
_MIRRORED, _WITHOUT_IMPLANTS = 0.5, 0.5
# How often a tooth of each position along its quadrant is lost, relative to the others: first molars most often.
_LOST = dict(zip("12345678", (0.06, 0.08, 0.03, 0.16, 0.16, 0.34, 0.14, 0.3), strict=True))
_LOST_OTHERWISE = 0.1
# A gap is closed by a share of its width, if at all.
_LEFT_OPEN, _MOST_CLOSED = 0.25, 1.05
# Shapes are turned, stretched and shifted by these shares, and their shade varies.
_BENT, _SHADED = 0.06, 0.1
_ARCH_OF = {OUTCOME_OF[number]: (arch, place) for arch in range(4) for place, number in enumerate(ARCHES[arch])}
_MIRRORED_OUTCOMES = np.array(MIRRORED_OUTCOMES)


@dataclass(frozen=True)
class NumberSet:
    """P objects of an image with the numbers that they should get.

    boxes: (P, 4) in frame pixels. shapes: (P, 24, 16) float32. seen: (P,) bool, whether the shape counts.
    outcomes: (P,). known: (P,) the outcome of each object that is given, else `UNKNOWN`. width: of the frame.
    """

    boxes: np.ndarray
    shapes: np.ndarray
    seen: np.ndarray
    outcomes: np.ndarray
    known: np.ndarray
    width: int

    def at(self, rows: np.ndarray) -> NumberSet:
        boxes, shapes, seen = self.boxes[rows], self.shapes[rows], self.seen[rows]
        return NumberSet(boxes, shapes, seen, self.outcomes[rows], self.known[rows], self.width)


def drawn_set(targets: ChartTargets, width: int) -> NumberSet:
    """A view's teeth as they are annotated; its implants, which are not teeth, too. width: of the view's frame."""
    count = len(targets.numbers)
    outcomes = np.where(targets.kinds == TOOTH, targets.numbers, NOT_A_TOOTH)
    unknown = np.full(count, UNKNOWN)
    return NumberSet(targets.places[:, :4], targets.shapes, np.ones(count, bool), outcomes, unknown, width)


def found_set(head: ChartHead, image: WindowedImage, targets: ChartTargets) -> NumberSet:
    """What the finder finds in a view, with the decoder's masks, and what it is by the annotation."""
    found = found_objects(finder_maps(head, image.embedding), TOOTH, image, _LOWEST_CENTRE)
    objects = found.as_set(image.frame)
    teeth = targets.kinds == TOOTH
    overlaps = box_overlaps(objects.boxes, targets.places[teeth, :4])
    outcomes = np.full(len(objects.boxes), NOT_A_TOOTH)
    if overlaps.size:
        hit = overlaps.max(axis=1) >= _SAME
        outcomes[hit] = targets.numbers[teeth][overlaps.argmax(axis=1)][hit]
    unknown = np.full(len(outcomes), UNKNOWN)
    return NumberSet(objects.boxes, objects.shapes, objects.seen, outcomes, unknown, objects.width)


def varied_set(one: NumberSet, settings: NumbererTraining, rng: np.random.Generator) -> NumberSet:
    """The set with teeth taken away and moved together, laid out anew, seen in part or not at all, partly known."""
    boxes, shapes, outcomes = one.boxes.astype(np.float64), one.shapes, one.outcomes
    if rng.random() < _MIRRORED:
        boxes = np.stack([one.width - boxes[:, 2], boxes[:, 1], one.width - boxes[:, 0], boxes[:, 3]], axis=1)
        shapes, outcomes = shapes[:, :, ::-1], _MIRRORED_OUTCOMES[outcomes]
    # A set may be without its implants: a finder that knows them apart does not take them for teeth.
    kept = outcomes != NOT_A_TOOTH if rng.random() < _WITHOUT_IMPLANTS else np.ones(len(boxes), bool)
    if not kept.any():
        kept[:] = True
    if rng.random() < settings.missing:
        kept &= _with_gaps(outcomes, rng)
        if not kept.any():
            kept[int(rng.integers(len(kept)))] = True
        if rng.random() < _CLOSED:
            boxes = _closed(boxes, outcomes, kept, rng)
    boxes = _laid_out(boxes, rng)
    seen = one.seen & (rng.random(len(boxes)) >= _UNSEEN_ALONE)
    if rng.random() < settings.unseen:
        seen[:] = False
    given = np.zeros(len(boxes), bool)
    if rng.random() < settings.known:
        given = rng.random(len(boxes)) < rng.random()
    known = np.where(given, outcomes, UNKNOWN)
    rows = rng.permutation(np.flatnonzero(kept))
    return NumberSet(boxes.astype(np.float32), shapes, seen, outcomes, known, one.width).at(rows)


def bent(shapes: Tensor, rng: np.random.Generator) -> Tensor:
    """Shapes (N, 24, 16), each turned, stretched, shifted and shaded a little."""
    count = len(shapes)
    noise = rng.normal(0, 1, (count, 2, 3)).astype(np.float32)
    maps = torch.eye(2, 3) + _BENT * torch.from_numpy(noise)
    grid = F.affine_grid(maps, [count, 1, *shapes.shape[1:]], align_corners=False)
    shade = 1 + _SHADED * torch.from_numpy(rng.normal(0, 1, (count, 1, 1)).astype(np.float32))
    return F.grid_sample(shapes[:, None], grid, align_corners=False)[:, 0] * shade


def _with_gaps(outcomes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which objects stay, (P,) bool."""
    names = [NUMBERS[outcome] if outcome < len(NUMBERS) else "" for outcome in outcomes]
    often = np.exp(rng.uniform(np.log(0.3), np.log(2.2)))
    lost = often * np.array([_LOST[name[1]] if name else _LOST_OTHERWISE for name in names])
    kept = rng.random(len(outcomes)) >= lost
    if rng.random() < _BY_TYPE:  # as orthodontists, and hypodontia, do: the same tooth in several quadrants
        position = str(rng.choice(list("2456788")))  # third molars twice as often
        kept &= np.array([not name.endswith(position) or rng.random() < 0.2 for name in names])
    if rng.random() < _IN_ROW:
        arch = ARCHES[int(rng.integers(2))]
        start, length = int(rng.integers(len(arch))), int(rng.integers(2, 12))
        kept &= ~np.isin(names, arch[start : start + length])
    if rng.random() < _WHOLE_ARCH:
        kept &= ~np.isin(names, ARCHES[int(rng.integers(2))])
    return kept


def _closed(boxes: np.ndarray, outcomes: np.ndarray, kept: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The boxes with the teeth distal of some of the gaps moved towards the midline."""
    moved = boxes.copy()
    for gap in np.flatnonzero(~kept):
        place = _ARCH_OF.get(int(outcomes[gap]))
        if place is None or rng.random() < _LEFT_OPEN:
            continue
        arch, at = place
        middle = len(ARCHES[arch]) / 2
        width = boxes[gap, 2] - boxes[gap, 0]
        shift = width * _MOST_CLOSED * rng.beta(1.2, 1.2) * (1 if at < middle else -1)
        for row in range(len(boxes)):
            other = _ARCH_OF.get(int(outcomes[row]))
            if other is not None and other[0] == arch and (other[1] < at if at < middle else other[1] > at):
                moved[row, [0, 2]] += shift
    return moved


def _laid_out(boxes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Boxes scaled, turned, bent and shifted together, each a little off."""
    middle, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    centre = middle.mean(0)
    scale = np.exp(rng.normal(0, 0.08) + rng.normal(0, 0.05, 2))
    angle = rng.normal(0, 0.035)
    from_centre = (middle - centre) * scale
    turned = np.stack(
        [
            from_centre[:, 0] * np.cos(angle) - from_centre[:, 1] * np.sin(angle),
            from_centre[:, 0] * np.sin(angle) + from_centre[:, 1] * np.cos(angle),
        ],
        axis=1,
    )
    turned[:, 1] += rng.normal(0, 12) * (from_centre[:, 0] / 250) ** 2  # a smile or a frown
    middle = centre + turned + rng.normal(0, 20, 2) + rng.normal(0, 0.03, middle.shape) * size
    size = size * scale * np.exp(rng.normal(0, 0.04, size.shape))
    return np.concatenate([middle - size / 2, middle + size / 2], axis=1)
