"""Which objects of a chart become proposals in a case, and which old proposals go.

Proposals never touch, cover or repeat what a person made, and do not come back where a person deleted one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from dentasam.labelling.log.fold import CaseState, ObjectState
from dentasam.labelling.log.operations import Operation, parse_operation
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.model.chart.dentition import CHART_NAMES, IMPLANT, SUPERNUMERARY_TOOTH
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.choices import intersection

NAMESPACE = UUID("0c0f3e0e-4a39-4d31-8c0b-9b3f3f6f2a57")
# Masks that share more than this of their union are of the same object.
SAME_OBJECT = 0.5
# A proposal of which other objects hold more than this is of something that is labelled already.
MAX_COVERED = 0.5


@dataclass(frozen=True)
class Proposal:
    """An object as the model proposes it. click: x, y behind its mask. model: as in the operations of the log."""

    category: str
    mask: BoxMask
    click: tuple[float, float]
    confidence: float
    model: dict[str, Any]


def proposal_operations(case_id: int, chart: str, state: CaseState, found: Sequence[Proposal]) -> list[Operation]:
    """Takes back the untouched proposals of a case and makes those of a new chart.

    chart: which picture and model the new ones are from. The ids follow from the arguments alone.
    """
    now = time.time_ns() // 1_000_000
    earlier = sum(known.source == "proposal" for known in state.objects.values())
    place = f"{case_id}|{chart}|{earlier}"

    def id_of(kind: str, name: object) -> str:
        return str(uuid5(NAMESPACE, f"{place}|{kind}|{name}"))

    operations = [_withdrawal(id_of("withdraw", known.id), known, now) for known in state.present if known.proposed]
    operations += [
        {
            "id": id_of("create", index),
            "time": now,
            "kind": "create",
            "object": id_of("object", index),
            "data": {
                "category": proposal.category,
                "source": "proposal",
                "prompts": {"clicks": [(*proposal.click, 1)]},
                "model": proposal.model,
                "confidence": proposal.confidence,
            },
            "mask": proposal.mask,
        }
        for index, proposal in enumerate(fitting(state, found))
    ]
    return [parse_operation(operation) for operation in operations]


def withdrawals(state: CaseState, labelled: Sequence[tuple[str | None, BoxMask]]) -> list[Operation]:
    """Takes back the untouched proposals of teeth that are labelled now.

    labelled: category and mask of each object that came into the case, by an import for example.
    """
    now = time.time_ns() // 1_000_000
    numbers = {category for category, _ in labelled if category} - {IMPLANT, SUPERNUMERARY_TOOTH}
    return [
        parse_operation(_withdrawal(str(uuid5(NAMESPACE, f"labelled|{known.id}")), known, now))
        for known in state.present
        if known.proposed
        and (known.category in numbers or any(_shared(known.mask, mask)[0] > SAME_OBJECT for _, mask in labelled))
    ]


def _withdrawal(id: str, known: ObjectState, now: int) -> dict[str, Any]:
    data = {"deleted": True, "withdrawn": True}
    return {"id": id, "time": now, "kind": "delete", "object": known.id, "data": data}


def fitting(state: CaseState, found: Sequence[Proposal]) -> Iterator[Proposal]:
    """The proposals that stand beside what people made of a case, in their order."""
    others = [known for known in state.present if not known.proposed]
    held = {known.category for known in others} - {IMPLANT, SUPERNUMERARY_TOOTH} | set(state.missing)
    rejected = [known for known in state.objects.values() if _is_rejected(known)]
    for proposal in found:
        if not proposal.mask.area or proposal.category in held:
            continue
        if any(_conflicts(proposal.mask, known) for known in others):
            continue
        if any(_shared(proposal.mask, known.mask)[0] > SAME_OBJECT for known in rejected):
            continue
        yield proposal


def _is_rejected(known: ObjectState) -> bool:
    """Whether a person deleted what the model proposed, or what was imported."""
    return known.deleted and not known.proposed and known.source in ("proposal", "import")


def _conflicts(proposal: BoxMask, known: ObjectState) -> bool:
    """Whether the object is of the same thing. A jaw or a sinus covers teeth, and does not stand in their way."""
    iou, covered = _shared(proposal, known.mask)
    tooth = known.category is None or known.category in CHART_NAMES
    return iou > SAME_OBJECT or (tooth and covered > MAX_COVERED)


def _shared(proposal: BoxMask, other: BoxMask) -> tuple[float, float]:
    """Their IoU, and the share of the proposal that lies in the other mask."""
    if not _boxes_meet(proposal, other):
        return 0.0, 0.0
    one, two = (BoxedMask(mask.x, mask.y, mask.bits) for mask in (proposal, other))
    both = intersection(one, two)
    return (both / (proposal.area + other.area - both), both / proposal.area) if both else (0.0, 0.0)


def _boxes_meet(one: BoxMask, other: BoxMask) -> bool:
    """Whether two masks can have pixels in common, without decoding them."""
    across = min(one.x + one.width, other.x + other.width) > max(one.x, other.x)
    return across and min(one.y + one.height, other.y + other.height) > max(one.y, other.y)
