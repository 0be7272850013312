"""Annotations that are not objects, and rings that cannot be drawn: they are passed over, and always reported."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

# The ids that a line names.
MAX_NAMED = 8


class Reason(StrEnum):
    """Why an annotation, or a part of one, is passed over."""

    no_mask = "no-mask"
    no_ring = "no-ring"
    ring = "ring"
    crowd = "crowd"


@dataclass(frozen=True, slots=True)
class PassedOverAnnotation:
    """An annotation and the reason; with `Reason.ring` it is an object that lost a part of its outline."""

    image: int
    annotation: int
    reason: Reason


DESCRIPTIONS = {
    Reason.no_mask: "has no mask, at most a box: passed over",
    Reason.no_ring: "has no polygon of three finite points: passed over",
    Reason.ring: "has a ring that is not three or more finite points: that ring is passed over, the others count",
    Reason.crowd: "has iscrowd 1, a region of many objects: kept, and neither trained nor evaluated on",
}
FIXES = {
    Reason.no_mask: "draw its mask or delete it",
    Reason.no_ring: "draw it again or delete it",
    Reason.ring: "delete the ring",
    Reason.crowd: "where each is one object, as CVAT writes its masks, use `dentasam data import --crowd-as-objects`",
}


def lines(passed: Iterable[PassedOverAnnotation]) -> list[str]:
    """One line for each reason: how many annotations, their ids, and the fix."""
    by_reason: dict[Reason, list[int]] = {}
    for item in passed:
        by_reason.setdefault(item.reason, []).append(item.annotation)
    return [
        f"{_counted(ids)} {_plural(DESCRIPTIONS[reason], len(ids))} ({_named(ids)}); {FIXES[reason]}"
        for reason, ids in by_reason.items()
    ]


def _counted(ids: Sequence[int]) -> str:
    return f"{len(ids)} annotation{'s' * (len(ids) != 1)}"


def _plural(what: str, count: int) -> str:
    return what if count == 1 else what.replace("has ", "have ", 1)


def _named(ids: Sequence[int]) -> str:
    shown = ", ".join(map(str, ids[:MAX_NAMED]))
    if len(ids) > MAX_NAMED:
        return f"ids {shown} and {len(ids) - MAX_NAMED} more"
    return f"id{'s' * (len(ids) != 1)} {shown}"
