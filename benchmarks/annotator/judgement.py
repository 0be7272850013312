"""What the annotator's eye decides: which object is which tooth, whether an outline will do, what to do next.

Masks are (H, W) bool. The truth stands for the eye: it tells what is wrong with what the page shows, and where.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from dentasam.prompts.correction_clicks import correction_clicks

# An object that covers less of a tooth than this is deleted, and the tooth clicked anew.
MIN_DICE = 0.3
Direction = Literal["mesial", "distal"]


class Tooth(NamedTuple):
    """A tooth of the hidden truth."""

    number: str
    mask: np.ndarray


class Click(NamedTuple):
    """x, y: the pixel."""

    x: int
    y: int
    positive: bool


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * int(np.count_nonzero(a & b)) / max(1, int(np.count_nonzero(a)) + int(np.count_nonzero(b)))


def box(mask: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns around a mask; empty ones of an empty mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if rows.size == 0:
        return slice(0, 0), slice(0, 0)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def matched(masks: Mapping[str, np.ndarray], teeth: Sequence[Tooth]) -> dict[str, int]:
    """Which tooth (its place in `teeth`) each object is: one to one, with the greatest sum of Dice.

    Objects without a tooth of which they cover at least MIN_DICE are left out: false ones and second halves.
    """
    ids = list(masks)
    if not ids or not teeth:
        return {}
    table = np.zeros((len(ids), len(teeth)))
    areas = [np.count_nonzero(masks[id]) for id in ids]
    for column, tooth in enumerate(teeth):
        where = box(tooth.mask)
        true = tooth.mask[where]
        area = np.count_nonzero(true)
        for row, id in enumerate(ids):
            shared = np.count_nonzero(masks[id][where] & true)
            table[row, column] = 2 * shared / (area + areas[row])
    pairs = zip(*linear_sum_assignment(-np.where(table >= MIN_DICE, table, 0)), strict=True)
    return {ids[row]: int(column) for row, column in pairs if table[row, column] >= MIN_DICE}


def next_click(mask: np.ndarray, truth: np.ndarray, others: np.ndarray, reach: float | None = None) -> Click | None:
    """Where to click next on an outline: the interior centre of its largest wrong region.

    A positive click on one of the other objects (their union) would go to that one, and farther than `reach` pixels
    from the mask would begin another: such places are not clicked. None where no place is left.
    """
    missed = truth & ~mask & ~others
    if reach is not None and missed.any():
        missed &= cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) <= reach
    surplus = mask & ~truth
    # What can be clicked, as the difference of two masks: `shown` lacks `missed` and has `surplus`.
    shown = (truth & mask) | surplus
    clicks = correction_clicks(shown[None], ((truth & mask) | missed)[None])
    if not clicks.found[0]:
        return None
    x, y = clicks.points[0]
    return Click(int(x), int(y), bool(clicks.labels[0]))


def shifted(
    numbers: Mapping[str, str | None], accepted: frozenset[str], start: str, direction: Direction
) -> dict[str, str]:
    """The new numbers (by object) when the page shifts the run of teeth that begins at an object by one.

    The run: the teeth of that quadrant and dentition with this number or one farther from the midline that are not
    accepted. Empty where one would be left without a number, or get one that is there already: the page warns then.
    """
    first = numbers[start]
    if first is None or not is_tooth(first):
        return {}
    run = {
        id: number
        for id, number in numbers.items()
        if number is not None and number[0] == first[0] and number >= first and (id == start or id not in accepted)
    }
    step = 1 if direction == "distal" else -1
    last = 8 if int(first[0]) <= 4 else 5
    moved = {id: f"{number[0]}{int(number[1]) + step}" for id, number in run.items()}
    staying = {number for id, number in numbers.items() if id not in run}
    fits = all(1 <= int(number[1]) <= last and number not in staying for number in moved.values())
    return moved if fits else {}


def worthwhile_shift(
    numbers: Mapping[str, str | None], wanted: Mapping[str, str], accepted: frozenset[str], start: str
) -> Direction | None:
    """The shift that sets two or more numbers right on balance; None where typing one number does as much.

    wanted: the right number of each object that is a tooth.
    """

    def right(given: Mapping[str, str | None]) -> int:
        return sum(given[id] == number for id, number in wanted.items())

    best: tuple[int, Direction | None] = (1, None)
    directions: tuple[Direction, ...] = ("mesial", "distal")
    for direction in directions:
        moved = shifted(numbers, accepted, start, direction)
        if moved.get(start) == wanted.get(start):
            best = max(best, (right({**numbers, **moved}) - right(numbers), direction), key=lambda each: each[0])
    return best[1]


def is_tooth(number: str) -> bool:
    """Whether it is an FDI number."""
    return len(number) == 2 and number.isdigit() and "1" <= number[0] <= "8" and "1" <= number[1] <= "8"
