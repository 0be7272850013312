"""What an ambiguous click may mean: which of the three masks to show, and which to take for a part.

A click on a filling may mean the filling, the crown or the tooth. SAM gives three masks for it (Kirillov et al.,
https://arxiv.org/abs/2304.02643, section 3), each with its predicted IoU.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.objects import ObjectAnswer

# Of masks with a greater IoU only the best scored is shown: the others are mostly worse outlines of the same.
MAX_IOU = 0.75
# A mask is a choice where its score is at least the first of these, and at most the second below the best of the
# three: on phantoms 5 % of the clicks on plain tooth then offer a part, and 80 % of those on a part.
MIN_SCORE, MAX_CHOICE_LOSS = 0.15, 0.3
# A part is taken if its score is no less than MIN_SCORE and this share of that of the best scored of the three masks,
MIN_SCORE_SHARE = 0.3
# covers no more than this share of the single mask's area, which then is the whole's,
MAX_PART_SHARE = 0.5
# and lies in the single mask to this share.
MIN_INSIDE = 0.9


def likely(choices: Sequence[ObjectAnswer]) -> list[ObjectAnswer]:
    """The choices whose scores are good enough to be shown, in their order; none where the model is sure of none."""
    least = max(MIN_SCORE, max((choice.score for choice in choices), default=0.0) - MAX_CHOICE_LOSS)
    return [choice for choice in choices if choice.score >= least]


def distinct(answers: Sequence[ObjectAnswer]) -> tuple[ObjectAnswer, ...]:
    """The answers from the largest mask to the smallest, without all but the best scored of those that are alike.

    Empty masks are left out, unless all are empty: then the best scored is returned.
    """
    kept: list[ObjectAnswer] = []
    for answer in sorted(answers, key=lambda answer: answer.score, reverse=True):
        if answer.mask.bits.any() and all(iou(answer.mask, other.mask) <= MAX_IOU for other in kept):
            kept.append(answer)
    kept = kept or [max(answers, key=lambda answer: answer.score)]
    return tuple(sorted(kept, key=lambda answer: int(answer.mask.bits.sum()), reverse=True))


def preferred_part(single: ObjectAnswer, choices: Sequence[ObjectAnswer]) -> ObjectAnswer:
    """The smallest of the choices that is a part of the single mask and not much worse scored than the best.

    Otherwise the single mask: it is the part itself, or the weights never saw an ambiguous click.
    """
    least = max(MIN_SCORE, MIN_SCORE_SHARE * max(choice.score for choice in choices))
    area = int(single.mask.bits.sum())
    parts = [
        choice
        for choice in choices
        if choice.score >= least
        and 0 < int(choice.mask.bits.sum()) <= MAX_PART_SHARE * area
        and intersection(choice.mask, single.mask) >= MIN_INSIDE * int(choice.mask.bits.sum())
    ]
    return min(parts, key=lambda part: int(part.mask.bits.sum()), default=single)


def iou(a: BoxedMask, b: BoxedMask) -> float:
    """The IoU of two masks of an image; 1 for two empty ones."""
    both = intersection(a, b)
    either = int(a.bits.sum()) + int(b.bits.sum()) - both
    return both / either if either else 1.0


def intersection(a: BoxedMask, b: BoxedMask) -> int:
    """The number of pixels that two masks share."""
    x0, y0 = max(a.x, b.x), max(a.y, b.y)
    x1 = min(a.x + a.bits.shape[1], b.x + b.bits.shape[1])
    y1 = min(a.y + a.bits.shape[0], b.y + b.bits.shape[0])
    if x1 <= x0 or y1 <= y0:
        return 0
    shared: np.ndarray = (
        a.bits[y0 - a.y : y1 - a.y, x0 - a.x : x1 - a.x] & b.bits[y0 - b.y : y1 - b.y, x0 - b.x : x1 - b.x]
    )
    return int(shared.sum())
