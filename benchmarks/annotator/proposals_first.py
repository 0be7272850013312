"""The fourth way: to walk through the model's proposals, and then to add what it has missed.

Each proposal that `Enter` leads to is looked at: its outline is one mental act, its number a glance. False ones are
deleted, outlines corrected by clicks, numbers by two digits, or by shifting a run of them as one act.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .hand import Hand
from .judgement import Tooth, matched, worthwhile_shift
from .one_by_one import begun, click_until

# The quadrants that are searched for missed teeth at the end, each with a mental act.
QUADRANTS = 4
# An object with more of itself on a tooth, which is another object's, is a part of that one.
HALF = 0.5


def with_proposals(hand: Hand, teeth: Sequence[Tooth], target: float) -> None:
    _walk(hand, teeth, target)
    hand.spent.look(QUADRANTS)
    found = matched({id: seen.mask for id, seen in hand.see().items()}, teeth)
    for place, tooth in enumerate(teeth):
        if place in found.values() or not begun(hand, tooth):
            continue
        click_until(hand, tooth, target, acts=1)
        hand.spent.glance()
        if hand.offered() != tooth.number:
            hand.press(*tooth.number)
        hand.press("Enter")


def _walk(hand: Hand, teeth: Sequence[Tooth], target: float) -> None:
    hand.press("Enter")
    visits = 2 * len(hand.see()) + 8
    for _ in range(visits):
        objects = hand.see()
        open_ones = [seen for seen in objects.values() if not seen.accepted]
        if not open_ones:
            return
        id = hand.active
        if id is None or objects[id].accepted:
            hand.press("Enter")
            continue
        hand.spent.look()
        which = matched({id: seen.mask for id, seen in objects.items()}, teeth)
        if id not in which:
            hand.press("Delete")
            continue
        hand.spent.glance()
        _delete_halves(hand, teeth[which[id]], id, which)
        click_until(hand, teeth[which[id]], target, acts=0, looked=True)
        _number(hand, teeth, which, id)
        hand.press("Enter")


def _delete_halves(hand: Hand, tooth: Tooth, id: str, which: dict[str, int]) -> None:
    """Deletes what else is proposed on the active object's tooth: no click of its own can go there."""
    for other in hand.see().values():
        shared = other.mask & tooth.mask
        if other.id in which or not HALF * np.count_nonzero(other.mask) < np.count_nonzero(shared):
            continue
        hand.spent.look()
        hand.choose(other)
        hand.press("Delete")
        hand.choose(hand.see()[id])


def _number(hand: Hand, teeth: Sequence[Tooth], which: dict[str, int], id: str) -> None:
    objects = hand.see()
    wanted = {each: teeth[place].number for each, place in which.items()}
    if objects[id].number == wanted[id]:
        return
    hand.spent.look()
    numbers = {each: seen.number for each, seen in objects.items()}
    accepted = frozenset(each for each, seen in objects.items() if seen.accepted)
    direction = worthwhile_shift(numbers, wanted, accepted, id)
    if direction is None:
        hand.press(*wanted[id])
        return
    hand.press("Shift+M" if direction == "mesial" else "Shift+D")
    if hand.asked_about_shift():
        # It shows the new numbers, and what is against them.
        hand.spent.look()
        hand.press("Tab", "Enter")
