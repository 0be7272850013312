"""What became of the model's proposals: accepted, corrected, deleted or left alone; and what it missed."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dentasam.labelling.log.fold import CaseState, ObjectState
from dentasam.labelling.log.operations import Create
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.model.chart.dentition import IMPLANT, NUMBERS
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.choices import iou

Outcome = Literal["untouched", "withdrawn", "deleted", "kept"]


@dataclass(frozen=True)
class ProposalOutcome:
    """One proposal and what people made of it.

    outcome: `untouched`; `withdrawn` by the model, untouched; `deleted` by a person; else `kept`. number: the
    proposed one. renumbered, mask_changed: whether category and mask are others now; iou, dice: of the proposed mask
    and the present one.
    """

    outcome: Outcome
    number: str | None
    confidence: float | None
    renumbered: bool
    mask_changed: bool
    iou: float
    dice: float

    def document(self) -> dict[str, Any]:
        """As the correction log writes it."""
        return asdict(self)


def proposal_outcome(create: Create, known: ObjectState) -> ProposalOutcome:
    """create: the operation, with its mask, by which the model proposed the object `known`."""
    proposed = create.mask or BoxMask.empty()
    changed = proposed != known.mask
    shared = _iou(proposed, known.mask) if changed else 1.0
    outcome: Outcome = "deleted" if known.deleted else "kept"
    if known.proposed:
        outcome = "withdrawn" if known.deleted else "untouched"
    return ProposalOutcome(
        outcome=outcome,
        number=create.data.category,
        confidence=create.data.confidence,
        renumbered=known.category != create.data.category,
        mask_changed=changed,
        iou=shared,
        dice=2 * shared / (1 + shared),
    )


def missed_objects(state: CaseState) -> set[str]:
    """The teeth and implants that people made in a case after it had proposals."""
    proposals = [known.created for known in state.objects.values() if known.source == "proposal"]
    if not proposals:
        return set()
    return {
        known.id
        for known in state.present
        if known.source in ("manual", "model")
        and known.created > min(proposals)
        and (known.category in NUMBERS or known.category == IMPLANT)
    }


class ProposalCounts:
    """Adds up what became of the proposals of many cases. Withdrawn ones do not count: nobody decided on them."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, outcome: ProposalOutcome) -> None:
        """One more proposal."""
        if outcome.outcome == "withdrawn":
            return
        self._counts["proposed"] += 1
        if outcome.outcome != "kept":
            self._counts[outcome.outcome] += 1
            return
        self._counts["unchanged"] += not outcome.renumbered and not outcome.mask_changed
        self._counts["renumbered"] += outcome.renumbered
        self._counts["mask_changed"] += outcome.mask_changed

    def add_missed(self, number: int) -> None:
        """More teeth that the model had not proposed."""
        self._counts["missed"] += number

    def document(self) -> dict[str, int]:
        """proposed, and of those unchanged, renumbered, mask_changed, deleted and untouched; missed."""
        keys = ("proposed", "unchanged", "renumbered", "mask_changed", "deleted", "untouched", "missed")
        return {key: self._counts[key] for key in keys}

    def line(self) -> str:
        """For the terminal; empty where nothing was proposed."""
        counts = self.document()
        if not counts["proposed"]:
            return ""
        return (
            f"{counts['proposed']} proposals: {counts['unchanged']} accepted unchanged, {counts['renumbered']} "
            f"renumbered, {counts['mask_changed']} with another mask, {counts['deleted']} deleted, "
            f"{counts['untouched']} untouched; {counts['missed']} teeth missed"
        )


def _iou(one: BoxMask, other: BoxMask) -> float:
    return float(iou(BoxedMask(one.x, one.y, one.bits), BoxedMask(other.x, other.y, other.bits)))
