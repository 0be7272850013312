"""The sets of teeth that the numberer learns from, and how they are varied.

Of the 334 training images of one clinic hardly any lacks many teeth. So teeth are taken away, alone, by type or in a
row, the others perhaps moved together, and in a share of the sets only where they stand counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dentasam.model.chart.dentition import ARCHES, NUMBERS
from dentasam.model.chart.detections import box_overlaps, detections
from dentasam.model.chart.finder import TOOTH, Finder
from dentasam.model.chart.numberer import NOT_A_TOOTH, pooled_looks
from dentasam.training.chart.view_store import EncodedView, batched
from dentasam.training.recipe.chart_recipe import NumbererTraining

# Boxes of people and of the decoder differ from the true ones by these shares of their sides.
_JITTER = 0.07
# A finder's box is the tooth with which it shares this much (IoU).
_SAME = 0.5
_LOWEST_CENTRE = 0.1
# Chances of what is done to a set.
_BY_TYPE, _IN_ROW, _CLOSED, _UNSEEN_ALONE = 0.3, 0.35, 0.5, 0.08
_ARCH_OF = {NUMBERS.index(number): (arch, place) for arch in range(4) for place, number in enumerate(ARCHES[arch])}


@dataclass(frozen=True)
class NumberSet:
    """P objects of an image. boxes: (P, 4) in frame pixels. looks: (P, C). outcomes: (P,). seen: (P,) bool."""

    boxes: np.ndarray
    looks: np.ndarray
    outcomes: np.ndarray
    seen: np.ndarray

    def at(self, rows: np.ndarray) -> NumberSet:
        return NumberSet(self.boxes[rows], self.looks[rows], self.outcomes[rows], self.seen[rows])


@torch.inference_mode()
def number_sets(finder: Finder, view: EncodedView, rng: np.random.Generator) -> list[NumberSet]:
    """A view's teeth as sets: in their own boxes, in boxes that are a little off, and as the finder sees them."""
    maps = finder(*batched([view]))
    teeth = view.targets.kinds == TOOTH
    boxes, outcomes = view.targets.places[teeth, :4], view.targets.numbers[teeth]
    if not len(boxes):
        return []

    def looked_at(places: np.ndarray, own: np.ndarray) -> NumberSet:
        looks = pooled_looks(maps, torch.from_numpy(places.astype(np.float32))).numpy()
        return NumberSet(places.astype(np.float32), looks, own, np.ones(len(own), bool))

    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    off = boxes + rng.normal(0, _JITTER, boxes.shape) * sides
    found = detections(maps, TOOTH, _LOWEST_CENTRE).boxes.numpy()
    sets = [looked_at(boxes, outcomes), looked_at(off, outcomes)]
    if len(found):
        overlaps = box_overlaps(found, boxes)
        best = overlaps.argmax(axis=1)
        own = np.where(overlaps.max(axis=1) >= _SAME, outcomes[best], NOT_A_TOOTH)
        sets.append(looked_at(found, own))
    return sets


def varied_set(one: NumberSet, settings: NumbererTraining, rng: np.random.Generator) -> NumberSet:
    """The set with teeth taken away and moved together, laid out anew, seen in part or not at all."""
    boxes = one.boxes.astype(np.float64)
    kept = np.ones(len(boxes), bool)
    if rng.random() < settings.missing:
        kept = _with_gaps(one.outcomes, rng)
        if rng.random() < _CLOSED:
            boxes = _closed(boxes, one.outcomes, kept, rng)
    boxes = _laid_out(boxes, rng)
    seen = rng.random(len(boxes)) >= _UNSEEN_ALONE
    if rng.random() < settings.unseen:
        seen[:] = False
    rows = rng.permutation(np.flatnonzero(kept))
    return NumberSet(boxes.astype(np.float32), one.looks, one.outcomes, seen & one.seen).at(rows)


def _with_gaps(outcomes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which objects stay, (P,) bool; at least one."""
    kept = rng.random(len(outcomes)) >= rng.uniform(0, 0.35)
    names = [NUMBERS[outcome] if outcome < len(NUMBERS) else "" for outcome in outcomes]
    if rng.random() < _BY_TYPE:  # as orthodontists, and hypodontia, do: the same tooth in several quadrants
        position = str(rng.choice(list("2345788")))
        kept &= np.array([not name.endswith(position) or rng.random() < 0.2 for name in names])
    if rng.random() < _IN_ROW:
        arch = ARCHES[int(rng.integers(2))]
        start, length = int(rng.integers(len(arch))), int(rng.integers(2, 10))
        kept &= ~np.isin(names, arch[start : start + length])
    if not kept.any():
        kept[int(rng.integers(len(kept)))] = True
    return kept


def _closed(boxes: np.ndarray, outcomes: np.ndarray, kept: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The boxes with the teeth distal of some of the gaps moved towards the midline."""
    moved = boxes.copy()
    for gap in np.flatnonzero(~kept):
        place = _ARCH_OF.get(int(outcomes[gap]))
        if place is None or rng.random() < 0.4:
            continue
        arch, at = place
        middle = len(ARCHES[arch]) / 2
        width = boxes[gap, 2] - boxes[gap, 0]
        shift = width * rng.uniform(0.5, 1.05) * (1 if at < middle else -1)
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
