"""The order of teeth along an arch, as a panoramic shows it: the patient's right is on its left."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from dentasam.model.chart.dentition import ARCHES, CROWDED_SHARE

Box = tuple[float, float, float, float]


def exchanged_neighbours(teeth: Iterable[tuple[str, Box]]) -> list[tuple[str, str]]:
    """Neighbours in an arch, without those that are missing, of which the left one lies to the right of the other.

    teeth: FDI number and x, y, width, height of each. Other names are left out, and numbers that are there twice.
    """
    boxes: dict[str, list[Box]] = {}
    for number, box in teeth:
        boxes.setdefault(number, []).append(box)
    found = []
    for arch in ARCHES:
        there = [number for number in arch if len(boxes.get(number, ())) == 1]
        for left, right in pairwise(there):
            ((x, _, width, _),), ((other_x, _, other_width, _),) = boxes[left], boxes[right]
            passed = x + width / 2 - (other_x + other_width / 2)
            if passed > CROWDED_SHARE * min(width, other_width):
                found.append((left, right))
    return found


def neighbours(numbers: Iterable[str]) -> int:
    """How many pairs of neighbours the arches have that hold these numbers."""
    there = set(numbers)
    return sum(max(0, len(there.intersection(arch)) - 1) for arch in ARCHES)
