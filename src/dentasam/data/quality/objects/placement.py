"""Teeth that are not where their numbers belong: exchanged, mirrored, upside down, in the other jaw, cut off."""

from collections.abc import Iterator, Sequence
from statistics import median

import numpy as np

from dentasam.data.coco.problem import Problem
from dentasam.data.quality.objects.boxed_objects import BoxedObject
from dentasam.data.record import ImageRecord
from dentasam.data.teeth import arch_order

# Teeth of each jaw that show where the jaws are.
MIN_IN_JAW = 3
# From the level of the nearest teeth of its own jaw (0) to that of the other's (1): further away, a tooth has the
# number of the wrong jaw.
MAX_WAY_TO_OTHER_JAW = 0.75
# Share of a tooth's width or height along which an edge of the image cuts it.
MIN_CUT_SHARE = 0.25


def placement_problems(image: ImageRecord, objects: Sequence[BoxedObject]) -> Iterator[Problem]:
    """Warnings of the places of an image's numbered teeth."""
    teeth = [item for item in objects if item.is_tooth]
    order = list(_order_problems(image, teeth))
    upside_down = list(_upside_down(image, teeth, any(problem.kind == "mirrored" for problem in order)))
    yield from upside_down or [*order, *_in_other_jaw(image, teeth)]
    yield from _cut_off(image, teeth)


def shows_its_side(teeth: Sequence[BoxedObject]) -> bool:
    """Whether the numbers show if the image is mirrored: an arch holds two of them."""
    return arch_order.neighbours(item.category for item in teeth) > 0


def _order_problems(image: ImageRecord, teeth: Sequence[BoxedObject]) -> Iterator[Problem]:
    """Teeth that do not follow each other as in a mouth: one wrong number, or left and right exchanged."""
    exchanged = arch_order.exchanged_neighbours((item.category, item.box) for item in teeth)
    if not exchanged:
        return
    if len(exchanged) > arch_order.neighbours(item.category for item in teeth) / 2:
        what = "its tooth numbers run from the patient's left to the right"
        fix = "mirror the image, or exchange left and right numbers"
        yield Problem(image.id, None, what, fix, "warning", "mirrored")
        return
    for left, right in exchanged:
        what = f"tooth {left} lies to the right of {right}, against the order of the arch"
        yield Problem(image.id, None, what, "look whether their numbers are exchanged", "warning", "number-order")


def _upside_down(image: ImageRecord, teeth: Sequence[BoxedObject], mirrored: bool) -> Iterator[Problem]:
    levels = {upper: [item.centre[1] for item in teeth if item.is_upper is upper] for upper in (True, False)}
    if min(len(level) for level in levels.values()) < MIN_IN_JAW:
        return
    if median(levels[True]) > median(levels[False]):
        what = "its upper teeth lie below the lower ones"
        turn = "it may be turned by 180 degrees" if mirrored else "it may be mirrored top to bottom"
        fix = f"{turn}: turn the image, or correct the numbers"
        yield Problem(image.id, None, what, fix, "warning", "turned")


def _in_other_jaw(image: ImageRecord, teeth: Sequence[BoxedObject]) -> Iterator[Problem]:
    places = {upper: [(item, *item.centre) for item in teeth if item.is_upper is upper] for upper in (True, False)}
    # A tooth is not beside itself.
    if min(len(jaw) for jaw in places.values()) <= MIN_IN_JAW:
        return
    for upper in (True, False):
        for item, x, y in places[upper]:
            own = _level_beside(x, [(x, y) for other, x, y in places[upper] if other is not item])
            other = _level_beside(x, [(x, y) for _, x, y in places[not upper]])
            if (own < other) == upper and own != other and (y - own) / (other - own) > MAX_WAY_TO_OTHER_JAW:
                what = f"tooth {item.category} lies among the {'lower' if upper else 'upper'} teeth"
                yield Problem(image.id, item.record.id, what, "correct its number", "warning", "number-jaw")


def _level_beside(x: float, centres: Sequence[tuple[float, float]]) -> float:
    """The median y of those `MIN_IN_JAW` that are nearest from side to side."""
    nearest = sorted((abs(centre[0] - x), centre[1]) for centre in centres)[:MIN_IN_JAW]
    return median(y for _, y in nearest)


def _cut_off(image: ImageRecord, teeth: Sequence[BoxedObject]) -> Iterator[Problem]:
    cut = []
    for item in teeth:
        bits, (x, y, width, height) = item.mask.bits, item.box
        edges = (
            (x == 0, bits[:, 0]),
            (y == 0, bits[0]),
            (x + width == image.width, bits[:, -1]),
            (y + height == image.height, bits[-1]),
        )
        if any(touches and np.count_nonzero(edge) >= MIN_CUT_SHARE * edge.size for touches, edge in edges):
            cut.append(item.category)
    if cut:
        named = f"tooth {cut[0]} reaches" if len(cut) == 1 else f"teeth {', '.join(cut)} reach"
        what = f"{named} the edge of the image, which may cut {'it' if len(cut) == 1 else 'them'} off"
        yield Problem(image.id, None, what, "use the whole radiograph if there is more of it", "warning", "cut-off")
