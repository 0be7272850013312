"""Annotations that are no objects, and parts of objects that are no rings: passed over, and never without a word."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

# How many ids a line names.
NAMED = 8


class Why(StrEnum):
    """Why an annotation, or a part of one, is passed over."""

    no_mask = "no-mask"
    no_ring = "no-ring"
    ring = "ring"
    crowd = "crowd"


@dataclass(frozen=True, slots=True)
class PassedOver:
    """An annotation and why it is passed over; with `Why.ring` it is an object, less a part of its outline."""

    image: int
    annotation: int
    why: Why


WHAT = {
    Why.no_mask: "has no mask, at most a box: passed over",
    Why.no_ring: "has no polygon of three finite points: passed over",
    Why.ring: "has a ring that is not three or more finite points: that ring is passed over, the others count",
    Why.crowd: "has iscrowd 1, a region of many objects: kept, and neither trained nor evaluated on",
}
FIX = {
    Why.no_mask: "draw its mask or delete it",
    Why.no_ring: "draw it again or delete it",
    Why.ring: "delete the ring",
    Why.crowd: "where each is one object, as CVAT writes its masks, use `dentasam data import --crowd-as-objects`",
}


def lines(passed: Iterable[PassedOver]) -> list[str]:
    """One line for each reason: how many annotations, which, and what to do."""
    by_why: dict[Why, list[int]] = {}
    for item in passed:
        by_why.setdefault(item.why, []).append(item.annotation)
    return [
        f"{_counted(ids)} {_plural(WHAT[why], len(ids))} ({_named(ids)}); {FIX[why]}" for why, ids in by_why.items()
    ]


def _counted(ids: Sequence[int]) -> str:
    return f"{len(ids)} annotation{'s' * (len(ids) != 1)}"


def _plural(what: str, count: int) -> str:
    return what if count == 1 else what.replace("has ", "have ", 1)


def _named(ids: Sequence[int]) -> str:
    shown = ", ".join(map(str, ids[:NAMED]))
    return f"ids {shown} and {len(ids) - NAMED} more" if len(ids) > NAMED else f"id{'s' * (len(ids) != 1)} {shown}"
