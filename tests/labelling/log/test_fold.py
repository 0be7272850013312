import uuid
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from dentasam.labelling.log.fold import CaseState, fold, undone_ids
from dentasam.labelling.log.operations import Operation, OperationError, StoredOperation
from dentasam.labelling.wire.box_mask import BoxMask

from ..conftest import Make, block

TOOTH, FILLING = str(uuid.uuid4()), str(uuid.uuid4())
MANUAL = {"category": None, "parent": None, "source": "manual"}


def log_of(operations: Sequence[Operation]) -> list[StoredOperation]:
    return [StoredOperation(op, n, f"ann{n % 2}", "2026-01-01T00:00:00+00:00") for n, op in enumerate(operations, 1)]


def folded(operations: Sequence[Operation]) -> CaseState:
    state = CaseState()
    for stored in log_of(operations):
        state = fold(state, stored)
    return state


def test_a_case_adds_up(make: Make) -> None:
    model = {"name": "dentasam-tiny", "sha256": "ab", "adapter": None, "adapter_sha256": None, "score": 0.75}
    prompts = {"clicks": [[8.0, 9.0, 1]], "box": None}
    state = folded(
        [
            make("create", TOOTH, MANUAL),
            make("mask", TOOTH, {"tool": "click", "prompts": prompts, "model": model}, mask=block(5, 5, 20, 20)),
            make("create", FILLING, {"category": "restoration", "parent": TOOTH, "source": "manual"}),
            make("relabel", TOOTH, {"category": "36"}),
            make("lock", TOOTH, {"locked": True}),
            make("accept", TOOTH, {"accepted": True}),
        ]
    )
    tooth, filling = state.objects[TOOTH], state.objects[FILLING]
    assert (state.revision, state.status, list(state.objects)) == (6, "in-progress", [TOOTH, FILLING])
    assert (tooth.category, tooth.locked, tooth.accepted, tooth.deleted) == ("36", True, True, False)
    assert (tooth.score, tooth.area, tooth.created, tooth.revision, tooth.annotator) == (0.75, 225, 1, 6, "ann0")
    assert tooth.prompts == prompts
    # The log is from before there were object windows.
    assert tooth.model == model | {"answered_by": None}
    assert np.array_equal(tooth.mask.on_image(40, 60), block(5, 5, 20, 20))
    assert (filling.parent, filling.area, filling.revision) == (TOOTH, 0, 3)


def test_a_stroke_keeps_prompts_and_score_and_what_it_does_not_name(make: Make) -> None:
    proposal = {"tool": "click", "prompts": {"clicks": [[1, 1, 1]]}, "model": {"name": "m", "score": 0.5}}
    first = [
        make("create", TOOTH, MANUAL),
        make("mask", TOOTH, proposal, mask=block(0, 0, 5, 5), painted=block(0, 0, 1, 1)),
        make("mask", TOOTH, {"tool": "eraser"}, mask=block(0, 0, 4, 4), erased=block(4, 4, 5, 5)),
    ]
    tooth = folded(first).objects[TOOTH]
    assert tooth.prompts == {"clicks": [[1.0, 1.0, 1]], "box": None}
    assert tooth.score == 0.5
    assert tooth.painted == BoxMask.from_mask(block(0, 0, 1, 1))
    assert tooth.erased == BoxMask.from_mask(block(4, 4, 5, 5))
    taken_away = make(
        "mask",
        TOOTH,
        {"tool": "click", "prompts": None, "model": None},
        mask=BoxMask.empty(),
        painted=BoxMask.empty(),
    )
    tooth = folded([*first, taken_away]).objects[TOOTH]
    assert (tooth.prompts, tooth.model, tooth.score, tooth.area, tooth.painted.area) == (None, None, None, 0, 0)
    assert tooth.erased.area == 1


def test_a_deleted_object_is_kept_and_comes_back(make: Make) -> None:
    drawn = [make("create", TOOTH, MANUAL, mask=block(0, 0, 5, 5)), make("delete", TOOTH, {"deleted": True})]
    gone = folded(drawn)
    assert gone.present == []
    assert gone.objects[TOOTH].mask.area == 25
    back = folded([*drawn, make("delete", TOOTH, {"deleted": False}, undoes=drawn[1].id)])
    assert [known.mask.area for known in back.present] == [25]


def test_the_first_edit_starts_a_case_and_an_import_does_not(make: Make) -> None:
    imported = make("create", TOOTH, MANUAL | {"source": "import"}, mask=block(0, 0, 5, 5))
    assert folded([imported]).status == "new"
    accepted = make("accept", TOOTH, {"accepted": True})
    assert folded([imported, accepted]).status == "in-progress"
    approved = make("status", None, {"status": "approved"})
    assert folded([imported, approved, accepted]).status == "approved"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda make: [make("lock", TOOTH, {"locked": True})],
        lambda make: [make("create", TOOTH, MANUAL), make("create", TOOTH, MANUAL)],
        lambda make: [make("create", TOOTH, MANUAL | {"parent": FILLING})],
        lambda make: [make("create", TOOTH, MANUAL), make("parent", TOOTH, {"parent": TOOTH})],
        lambda make: [make("create", TOOTH, MANUAL), make("parent", TOOTH, {"parent": FILLING})],
    ],
    ids=["unknown object", "created twice", "created under an unknown parent", "own parent", "unknown parent"],
)
def test_what_makes_no_sense_is_refused(make: Make, wrong: Callable[[Make], list[Operation]]) -> None:
    with pytest.raises(OperationError, match=f"{TOOTH}|{FILLING}|its own parent"):
        folded(wrong(make))


def test_undo_and_redo_take_back_each_other(make: Make) -> None:
    created = make("create", TOOTH, MANUAL)
    stroke = make("mask", TOOTH, {"tool": "brush"}, mask=block(0, 0, 5, 5))
    undo = make("mask", TOOTH, {"tool": "brush"}, mask=BoxMask.empty(), undoes=stroke.id)
    redo = make("mask", TOOTH, {"tool": "brush"}, mask=block(0, 0, 5, 5), undoes=undo.id)
    again = make("mask", TOOTH, {"tool": "brush"}, mask=BoxMask.empty(), undoes=redo.id)
    log = log_of([created, stroke, undo, redo, again])
    assert undone_ids(log[:2]) == set()
    assert undone_ids(log[:3]) == {stroke.id}
    assert undone_ids(log[:4]) == {undo.id}
    assert undone_ids(log) == {stroke.id, redo.id}


def test_an_undo_of_an_unknown_operation_takes_nothing_back(make: Make) -> None:
    assert undone_ids(log_of([make("lock", TOOTH, {"locked": True}, undoes=str(uuid.uuid4()))])) == set()


def test_the_page_gets_every_key_of_an_object(make: Make) -> None:
    document = folded([make("create", TOOTH, MANUAL)]).objects[TOOTH].document()
    assert set(document) == {
        "id", "category", "parent", "locked", "accepted", "deleted", "source", "score", "model", "prompts", "mask",
        "painted", "erased", "area", "revision", "annotator", "confidence", "proposed", "touches",
    }  # fmt: skip
