"""Three ways to label a case tooth by tooth: the brush alone, clicks, a click and refined strokes.

The annotator goes through the teeth in the order of the chart, so that finding the next one and knowing its number is
one mental act; every look at what an act has made, to decide whether it will do, is another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dentasam.prompts.correction_clicks import interior_centre

from .hand import Hand
from .judgement import Tooth, dice, next_click
from .strokes import next_stroke

MAX_ACTS = 10


def with_brush(hand: Hand, teeth: Sequence[Tooth], target: float) -> None:
    hand.take("brush")
    for tooth in teeth:
        hand.spent.look()
        hand.begin(keep_tool=True)
        mask = np.zeros_like(tooth.mask)
        for act in range(MAX_ACTS):
            if act > 0:
                hand.spent.look()
                if dice(mask, tooth.mask) >= target:
                    break
            stroke = next_stroke(mask, tooth.mask, hand.brush, target)
            if stroke is None:
                break
            hand.paint(stroke)
            mask = seen_of_active(hand, mask)
        hand.press(*tooth.number, "Enter")
        # An eraser would begin nothing.
        hand.take("brush")


def with_clicks(hand: Hand, teeth: Sequence[Tooth], target: float) -> None:
    for tooth in teeth:
        if begun(hand, tooth):
            click_until(hand, tooth, target, acts=1)
            hand.press(*tooth.number, "Enter")


def with_refined_strokes(hand: Hand, teeth: Sequence[Tooth], target: float) -> None:
    hand.press("Shift+R")
    for tooth in teeth:
        if not begun(hand, tooth):
            continue
        for act in range(1, MAX_ACTS + 1):
            mask = seen_of_active(hand, tooth.mask)
            hand.spent.look()
            if dice(mask, tooth.mask) >= target or act == MAX_ACTS:
                break
            stroke = next_stroke(mask, tooth.mask, hand.brush, target)
            if stroke is None:
                break
            hand.paint(stroke)
            if stroke.fills:
                # To fill the hole was another edit, which ended the refinement.
                hand.press("r")
            hand.refined()
        hand.press(*tooth.number, "Enter")


def begun(hand: Hand, tooth: Tooth) -> bool:
    """Finds a tooth and clicks on its middle; False where no mask came."""
    hand.spent.look()
    x, y = (int(each) for each in interior_centre(tooth.mask[None])[0])
    # Without it the click would go to the object that is there, or be asked about.
    if hand.tool != "click" or any(seen.mask[y, x] for seen in hand.see().values()):
        hand.begin()
    return hand.first_click(x + 0.5, y + 0.5)


def click_until(hand: Hand, tooth: Tooth, target: float, acts: int, looked: bool = False) -> None:
    """Corrects the active object by clicks until its Dice is the target or MAX_ACTS are spent.

    acts: spent already. looked: whether the outline as it is has been looked at, and paid for.
    """
    id = hand.active
    while id is not None:
        objects = hand.see()
        this = objects[id]
        hand.spent.look(0 if looked else 1)
        looked = False
        if dice(this.mask, tooth.mask) >= target or acts >= MAX_ACTS:
            return
        others = np.zeros_like(this.mask)
        for other in objects.values():
            if other is not this:
                others |= other.mask
        # Farther from a proposal that nobody has touched, a click begins another object.
        reach = 0.7 * float(np.sqrt(np.count_nonzero(this.mask))) if this.proposed else None
        click = next_click(this.mask, tooth.mask, others, reach)
        if click is None:
            return
        if not hand.correct(click):
            # The click was taken for another object: back to this one, whose number comes next.
            hand.choose(this)
            return
        acts += 1


def seen_of_active(hand: Hand, like: np.ndarray) -> np.ndarray:
    """The mask (H, W) bool of the active object; an empty one where there is none."""
    id = hand.active
    objects = hand.see()
    return objects[id].mask if id in objects else np.zeros_like(like)


Way = Callable[[Hand, Sequence[Tooth], float], None]
