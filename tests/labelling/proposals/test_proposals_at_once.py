"""Proposals and people at the same moment: whoever is first, a person's edit is never lost."""

import threading
from uuid import uuid4

import pytest

from dentasam.labelling.log.append import RevisionConflict
from dentasam.labelling.log.fold import CaseState
from dentasam.labelling.log.operations import Operation, OperationError
from dentasam.labelling.log.store import Store
from dentasam.labelling.proposals.new_proposals import Proposal, proposal_operations
from dentasam.labelling.wire.box_mask import BoxMask

from ..conftest import Make, block, first_case

ROUNDS = 8
MODEL = {"name": "m", "score": 0.5}


def proposals(case: int, chart: str, state: CaseState) -> list[Operation]:
    masks = [BoxMask.from_mask(block(4, left, 14, left + 6)) for left in range(0, 60, 10)]
    found = [Proposal(f"1{n}", mask, (1.0, 5.0), 0.5, MODEL) for n, mask in enumerate(masks, start=1)]
    return proposal_operations(case, chart, state, found)


def test_a_withdrawal_never_takes_what_a_person_has_just_touched(store: Store, make: Make) -> None:
    case = first_case(store)
    store.propose(case, "0", lambda state: proposals(case, "0", state))
    touched: set[str] = set()
    done = threading.Event()

    def annotate() -> None:
        while not done.is_set():
            state = store.state(case)
            proposed = [known for known in state.present if known.proposed]
            if not proposed:
                return
            accept = make("accept", proposed[0].id, {"accepted": True})
            try:
                store.append(case, [accept], state.revision, "anna")
            except RevisionConflict:
                continue
            touched.add(proposed[0].id)

    person = threading.Thread(target=annotate)
    person.start()
    for chart in range(1, ROUNDS):
        store.propose(case, str(chart), lambda state, chart=chart: proposals(case, str(chart), state))  # type: ignore[misc]
    done.set()
    person.join()
    state = store.state(case)
    assert {known.id for known in state.present if known.accepted} == touched
    # Each tooth is there once, be it accepted or proposed.
    assert sorted(str(known.category) for known in state.present) == [f"1{n}" for n in range(1, 7)]


def test_two_servers_that_propose_at_once_propose_once(store: Store) -> None:
    case = first_case(store)
    start = threading.Barrier(4)

    def server() -> None:
        start.wait()
        store.propose(case, "chart", lambda state: proposals(case, "chart", state))

    threads = [threading.Thread(target=server) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.case(case).proposed == 6
    assert store.case(case).revision == 6


def test_a_refused_operation_leaves_a_case_as_it_was(store: Store, make: Make) -> None:
    case = first_case(store)
    unknown = make("delete", str(uuid4()), {"deleted": True, "withdrawn": True})
    with pytest.raises(OperationError, match="no object"):
        store.propose(case, "chart", lambda state: [*proposals(case, "chart", state), unknown])
    assert (store.case(case).revision, store.case(case).charted) == (0, None)
    assert store.propose(case, "chart", lambda state: None) is None
    assert store.case(case).charted is None
