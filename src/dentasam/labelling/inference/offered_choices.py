"""The masks that a first click may mean, as the page offers them: the one that is taken, and those unlike it."""

from __future__ import annotations

from collections.abc import Sequence

from dentasam.model.windows.choices import MAX_IOU, iou, likely, preferred_part
from dentasam.model.windows.objects import ObjectAnswer

MAX_OFFERED = 3


def offered(
    single: ObjectAnswer, choices: Sequence[ObjectAnswer], *, prefer_part: bool
) -> tuple[ObjectAnswer, tuple[ObjectAnswer, ...]]:
    """The answer that is taken, and up to three that are offered, the largest first, the taken one among them.

    single: the model's answer by its single mask. choices: those of its three masks for an ambiguous click; without
    any, nothing is offered.
    """
    if not choices:
        return single, ()
    taken = preferred_part(single, choices) if prefer_part else single
    kept = [taken]
    sure = sorted(likely(choices), key=lambda each: each.score, reverse=True)
    for answer in (single, *sure):
        if len(kept) < MAX_OFFERED and answer.mask.bits.any() and all(_differ(answer, other) for other in kept):
            kept.append(answer)
    return taken, tuple(sorted(kept, key=lambda each: int(each.mask.bits.sum()), reverse=True))


def _differ(one: ObjectAnswer, other: ObjectAnswer) -> bool:
    return iou(one.mask, other.mask) <= MAX_IOU
