"""Proposals stand beside what people made, and never touch it."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from dentasam.labelling.log.fold import CaseState, ObjectState, fold
from dentasam.labelling.log.operations import MODEL_ANNOTATOR, Operation, StoredOperation
from dentasam.labelling.proposals.new_proposals import Proposal, fitting, proposal_operations
from dentasam.labelling.wire.box_mask import BoxMask

from ..conftest import MANUAL, Make, block

MODEL = {"name": "m", "sha256": "ab", "adapter": None, "adapter_sha256": None, "score": 0.5, "answered_by": "window"}


def proposal(category: str, left: int, width: int = 6) -> Proposal:
    mask = BoxMask.from_mask(block(4, left, 14, left + width))
    return Proposal(category, mask, (left + 2.0, 8.0), 0.75, MODEL)


def folded(state: CaseState, operations: Sequence[Operation], annotator: str = "anna") -> CaseState:
    for operation in operations:
        state = fold(state, StoredOperation(operation, state.revision + 1, annotator, "2026-01-01"))
    return state


def proposed(found: Sequence[Proposal], state: CaseState | None = None, chart: str = "one") -> CaseState:
    state = CaseState() if state is None else state
    return folded(state, proposal_operations(1, chart, state, found), MODEL_ANNOTATOR)


def categories(state: CaseState) -> list[str | None]:
    return [known.category for known in state.present]


def only(state: CaseState, category: str) -> ObjectState:
    (found,) = [known for known in state.objects.values() if known.category == category]
    return found


def drawn(make: Make, category: str | None, mask: np.ndarray) -> list[Operation]:
    tooth = str(uuid4())
    return [
        make("create", tooth, MANUAL | {"category": category}),
        make("mask", tooth, {"tool": "brush"}, mask=mask),
    ]


def test_a_proposal_carries_what_a_correction_goes_on_from() -> None:
    state = proposed([proposal("36", 10)])
    known = only(state, "36")
    assert known.proposed
    assert known.prompts == {"clicks": [[12.0, 8.0, 1]], "box": None}
    assert known.model == MODEL
    assert (known.score, known.confidence, known.annotator) == (0.5, 0.75, MODEL_ANNOTATOR)
    assert known.mask == proposal("36", 10).mask
    assert state.status == "new"


def test_the_ids_follow_from_the_case_the_chart_and_what_is_there() -> None:
    found = [proposal("36", 10), proposal("37", 20)]
    once, twice = (proposal_operations(1, "one", CaseState(), found) for _ in range(2))
    assert [each.id for each in once] == [each.id for each in twice]
    ids = {each.id for each in once}
    assert len(ids) == 2
    for other in (
        proposal_operations(2, "one", CaseState(), found),
        proposal_operations(1, "two", CaseState(), found),
    ):
        assert ids.isdisjoint(each.id for each in other)


@pytest.mark.parametrize(
    ("category", "mask", "left_out"),
    [
        ("36", block(25, 40, 35, 50), True),  # the number is taken, wherever
        ("46", block(25, 40, 35, 50), False),
        (None, block(4, 11, 14, 17), True),  # IoU 5/7
        (None, block(4, 15, 14, 21), False),  # one column shared
        ("caries", block(6, 12, 8, 14), False),  # a part of the tooth
        (None, block(0, 0, 40, 60), True),  # covers it
    ],
)
def test_a_proposal_is_left_out_for_what_a_person_made(
    make: Make, category: str | None, mask: np.ndarray, left_out: bool
) -> None:
    state = folded(CaseState(), drawn(make, category, mask))
    assert [each.category for each in fitting(state, [proposal("36", 10)])] == ([] if left_out else ["36"])


def test_many_implants_are_proposed_beside_one_that_a_person_made(make: Make) -> None:
    state = folded(CaseState(), drawn(make, "implant", block(25, 40, 35, 50)))
    assert len(list(fitting(state, [proposal("implant", 10), proposal("implant", 20)]))) == 2


def test_a_number_that_is_marked_as_missing_is_not_proposed(make: Make) -> None:
    state = folded(CaseState(), [make("missing", None, {"number": "36", "missing": True})])
    assert [each.category for each in fitting(state, [proposal("36", 10), proposal("37", 20)])] == ["37"]


def test_what_a_person_deleted_is_not_proposed_again_though_what_the_model_withdrew_is(make: Make) -> None:
    state = proposed([proposal("36", 10), proposal("37", 20)])
    state = folded(state, [make("delete", only(state, "36").id, {"deleted": True})])
    again = proposed([proposal("35", 11), proposal("37", 20)], state, "two")
    assert categories(again) == ["37"]
    # The first model is back: its own proposals return as new objects.
    back = proposed([proposal("36", 10), proposal("37", 20)], again, "one")
    assert categories(back) == ["37"]
    assert len(back.objects) == 4


def change(make: Make, kind: str, id: str) -> Operation:
    data: dict[str, dict[str, Any]] = {
        "relabel": {"category": "46"},
        "lock": {"locked": True},
        "accept": {"accepted": True},
        "parent": {"parent": None},
        "mask": {"tool": "brush"},
    }
    mask = {"mask": block(4, 10, 14, 15)} if kind == "mask" else {}
    return make(kind, id, data[kind], **mask)


@pytest.mark.parametrize("kind", ["relabel", "lock", "accept", "parent", "mask"])
def test_a_new_chart_replaces_untouched_proposals_alone(make: Make, kind: str) -> None:
    before = proposed([proposal("36", 10), proposal("37", 20)])
    touched = only(before, "36").id
    before = folded(before, [change(make, kind, touched)])
    after = proposed([proposal("35", 10), proposal("37", 21), proposal("38", 30)], before, "two")
    assert after.objects[touched] == before.objects[touched]
    others = [known for known in after.present if known.id != touched]
    assert [(known.category, known.proposed) for known in others] == [("37", True), ("38", True)]
    assert only(after, "38").created > before.revision


def test_whatever_people_did_no_proposal_changes_their_objects(make: Make) -> None:
    """Random work of people and random charts in turn."""
    draw = np.random.default_rng(7)
    numbers = ["35", "36", "37", "38", "46", "implant"]
    for _ in range(30):
        state = CaseState()
        for chart in range(4):
            found = [proposal(str(draw.choice(numbers)), int(draw.integers(0, 50))) for _ in range(4)]
            own = {id: known for id, known in state.objects.items() if not known.proposed}
            after = proposed(found, state, str(chart))
            assert {id: after.objects[id] for id in own} == own
            assert after.status == state.status
            assert after.missing == state.missing
            fresh = [known for known in after.present if known.id not in state.objects]
            assert all(known.proposed for known in fresh)
            assert [known for known in after.present if known.proposed] == fresh
            taken = {known.category for known in own.values() if not known.deleted} - {"implant"}
            assert taken.isdisjoint(known.category for known in fresh)
            state = after
            for known in after.present:
                if draw.random() < 0.4:
                    kind = str(draw.choice(["relabel", "lock", "accept", "mask", "delete"]))
                    if kind == "delete":
                        state = folded(state, [make("delete", known.id, {"deleted": True})])
                    else:
                        state = folded(state, [change(make, kind, known.id)])
