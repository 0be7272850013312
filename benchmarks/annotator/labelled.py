"""What a labelled case has cost and how good it is, and the medians over cases with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .hand import Hand
from .judgement import Tooth, dice, matched
from .keystroke_times import KINDS

RESAMPLES = 10_000
# Below it there is no interval, as in dentasam.evaluation.bootstrap.
MIN_CASES = 6


@dataclass(frozen=True)
class Labelled:
    """One case, labelled in one way.

    seconds: by kind; waits are apart. dice: of each tooth with its object, 0 for one without. right: teeth whose
    object has their number. extra: objects that are no tooth. unanswered: clicks and refinements without an answer.
    """

    image: str
    seconds: dict[str, float]
    waits: float
    acts: int
    dice: tuple[float, ...]
    right: int
    extra: int
    unanswered: int = field(default=0)

    @staticmethod
    def of(image: str, hand: Hand, teeth: Sequence[Tooth]) -> Labelled:
        objects = hand.see()
        found = matched({id: seen.mask for id, seen in objects.items()}, teeth)
        reached = [0.0] * len(teeth)
        for id, place in found.items():
            reached[place] = dice(objects[id].mask, teeth[place].mask)
        right = sum(objects[id].number == teeth[place].number for id, place in found.items())
        spent = hand.spent
        seconds = {str(kind): spent.seconds[kind] for kind in KINDS}
        extra = len(objects) - len(found)
        return Labelled(image, seconds, spent.waits, spent.acts, tuple(reached), right, extra, hand.unanswered)

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def summary(cases: Sequence[Labelled], target: float) -> dict[str, Any]:
    """Medians over cases with their 95 % intervals, and means of what they are made of."""
    totals = np.array([case.total for case in cases])
    waits = np.array([case.waits for case in cases])
    each_dice = np.array([np.mean(case.dice) for case in cases])
    every = np.concatenate([case.dice for case in cases])
    return {
        "cases": len(cases),
        "seconds": float(np.median(totals)),
        "seconds_interval": interval_of_median(totals),
        "waits": float(np.median(waits)),
        "seconds_with_waits": float(np.median(totals + waits)),
        "mean_seconds_by_kind": {kind: float(np.mean([case.seconds[kind] for case in cases])) for kind in KINDS},
        "acts": float(np.median([case.acts for case in cases])),
        "dice": float(np.median(each_dice)),
        "dice_interval": interval_of_median(each_dice),
        "dice_min": float(every.min()),
        "at_target": float((every >= target).mean()),
        "numbers_right": sum(case.right for case in cases) / len(every),
        "extra_objects": sum(case.extra for case in cases),
        "unanswered": sum(case.unanswered for case in cases),
    }


def interval_of_median(values: np.ndarray) -> tuple[float, float] | None:
    """The 95 % percentile interval of a median, cases drawn with replacement; None below MIN_CASES."""
    if len(values) < MIN_CASES:
        return None
    drawn = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(np.median(values[drawn], axis=1), (2.5, 97.5))
    return float(low), float(high)


def ratio(ways: Mapping[str, Sequence[Labelled]], above: str, below: str) -> tuple[float, tuple[float, float] | None]:
    """The median over images of one way's seconds by another's on the same image, with its interval."""
    other = {case.image: case.total for case in ways[below]}
    ratios = np.array([case.total / other[case.image] for case in ways[above] if case.image in other])
    return float(np.median(ratios)), interval_of_median(ratios)
