import os
import random
import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from dentasam.labelling.log.append import Appended, RevisionConflict
from dentasam.labelling.log.database.opening import open_database
from dentasam.labelling.log.fold import CaseState, fold
from dentasam.labelling.log.operations import OperationError
from dentasam.labelling.log.store import Store

from ..conftest import MANUAL, Make, block, first_case
from .random_log import canvases, random_operations


def refolded(store: Store, case_id: int) -> CaseState:
    state = CaseState()
    for stored in store.operations(case_id):
        state = fold(state, stored)
    return state


def test_appended_operations_add_up_and_are_stamped(store: Store, make: Make) -> None:
    a, tooth = first_case(store), str(uuid.uuid4())
    assert store.append(a, [make("create", tooth, MANUAL)], 0, "ann").revision == 1
    stroke = make("mask", tooth, {"tool": "brush"}, mask=block(3, 4, 9, 12), painted=block(3, 4, 9, 12))
    assert store.append(a, [stroke, make("relabel", tooth, {"category": "36"})], 1, "bob").revision == 3
    stored = store.operations(a)
    assert [(s.revision, s.annotator, s.operation.kind) for s in stored] == [
        (1, "ann", "create"),
        (2, "bob", "mask"),
        (3, "bob", "relabel"),
    ]
    assert stored[1].operation == stroke
    assert store.operations(a, since=1, limit=1) == stored[1:2]
    state = store.state(a)
    assert state == refolded(store, a)
    assert (state.status, state.objects[tooth].category, state.objects[tooth].painted.area) == (
        "in-progress",
        "36",
        48,
    )
    assert store.case(a).objects == 1
    assert store.case(a).updated == stored[-1].received


def test_an_object_without_prompts_reads_back_as_without(store: Store, make: Make) -> None:
    a, tooth = first_case(store), str(uuid.uuid4())
    store.append(a, [make("create", tooth, MANUAL)], 0, "ann")
    assert (store.state(a).objects[tooth].prompts, store.state(a).objects[tooth].model) == (None, None)


def test_a_lost_answer_may_be_sent_again(store: Store, make: Make) -> None:
    a, tooth = first_case(store), str(uuid.uuid4())
    first = [make("create", tooth, MANUAL), make("lock", tooth, {"locked": True})]
    assert store.append(a, first, 0, "ann").revision == 2
    assert store.append(a, first, 0, "ann").revision == 2
    # With more behind them, and the old revision: the operations in between are the sender's own.
    more = make("lock", tooth, {"locked": False})
    assert store.append(a, [*first, more], 0, "ann").revision == 3
    assert store.append(a, [more, more], 3, "ann").revision == 3
    assert [s.operation.id for s in store.operations(a)] == [first[0].id, first[1].id, more.id]


def test_what_others_wrote_meanwhile_is_a_conflict_and_nothing_is_stored(store: Store, make: Make) -> None:
    a, tooth = first_case(store), str(uuid.uuid4())
    mine, theirs = make("create", tooth, MANUAL), make("relabel", tooth, {"category": "36"})
    store.append(a, [mine], 0, "ann")
    store.append(a, [theirs], 1, "bob")
    late = make("lock", tooth, {"locked": True})
    child = make("create", str(uuid.uuid4()), {**MANUAL, "parent": tooth})
    for sent, expected in ([late], 1), ([mine, late], 0), ([late], 3), ([child], 1):
        with pytest.raises(RevisionConflict) as caught:
            store.append(a, sent, expected, "ann")
        assert caught.value.revision == 2
    assert [s.operation.id for s in store.operations(a)] == [mine.id, theirs.id]
    # Sent again alone it is no conflict, since nothing new comes of it.
    assert store.append(a, [mine], 0, "ann").revision == 2
    assert store.append(a, [late], 2, "ann").revision == 3


def test_what_others_did_to_other_objects_is_no_conflict(store: Store, make: Make) -> None:
    a, tooth, other = first_case(store), str(uuid.uuid4()), str(uuid.uuid4())
    store.append(a, [make("create", tooth, MANUAL)], 0, "ann")
    theirs = [make("create", other, MANUAL), make("relabel", other, {"category": "37"})]
    store.append(a, theirs, 1, "bob")
    late = make("relabel", tooth, {"category": "36"})
    assert store.append(a, [late], 1, "ann") == Appended(4, 1)
    # The answer was lost: what is sent again is there, and the next is judged by what others did since.
    assert store.append(a, [late, make("lock", tooth, {"locked": True})], 1, "ann") == Appended(5, 1)
    assert store.state(a) == refolded(store, a)
    assert {known.category for known in store.state(a).present} == {"36", "37"}


def test_what_changes_the_case_itself_is_in_conflict_with_the_like(store: Store, make: Make) -> None:
    a, tooth = first_case(store), str(uuid.uuid4())
    store.append(a, [make("create", tooth, MANUAL)], 0, "ann")
    store.append(a, [make("status", None, {"status": "done"})], 1, "bob")
    with pytest.raises(RevisionConflict):
        store.append(a, [make("status", None, {"status": "needs-review"})], 1, "ann")
    assert store.append(a, [make("lock", tooth, {"locked": True})], 1, "ann") == Appended(3, 1)


def test_a_wrong_operation_takes_its_whole_request_with_it(store: Store, make: Make) -> None:
    a, tooth = first_case(store), str(uuid.uuid4())
    good = make("create", tooth, MANUAL)
    with pytest.raises(OperationError, match="no object"):
        store.append(a, [good, make("lock", str(uuid.uuid4()), {"locked": True})], 0, "ann")
    with pytest.raises(OperationError, match="does not fit the image of 60 x 40"):
        store.append(a, [good, make("mask", tooth, {"tool": "brush"}, mask=block(0, 0, 5, 61, width=61))], 0, "ann")
    assert (store.case(a).revision, store.case(a).status, store.operations(a)) == (0, "new", [])


def test_cases_do_not_touch_each_other(store: Store, make: Make) -> None:
    a, b = (case.id for case in store.cases())
    operation = make("create", str(uuid.uuid4()), MANUAL)
    assert store.append(a, [operation], 0, "ann").revision == 1
    assert store.append(b, [operation], 0, "ann").revision == 1
    assert store.append(a, [make("delete", operation.object, {"deleted": True})], 1, "ann").revision == 2
    assert not store.state(a).present
    assert len(store.state(b).present) == 1
    assert [case.objects for case in store.cases()] == [0, 1]


def test_of_writers_at_once_with_one_revision_one_wins(store: Store, make: Make) -> None:
    a = first_case(store)
    writers = 6
    ready = threading.Barrier(writers)
    outcomes: list[tuple[int, str | None, int]] = []
    rounds = 5
    shared = [str(uuid.uuid4()) for _ in range(rounds)]

    def write(name: str, operations: list) -> None:
        for at, operation in enumerate(operations):
            ready.wait()
            try:
                outcomes.append((at, name, store.append(a, [operation], at, name).revision))
            except RevisionConflict as conflict:
                outcomes.append((at, None, conflict.revision))

    threads = [
        threading.Thread(target=write, args=(str(n), [make("create", shared[at], MANUAL) for at in range(rounds)]))
        for n in range(writers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(outcomes) == writers * rounds
    winners = {at: name for at, name, _ in outcomes if name is not None}
    assert len([name for _, name, _ in outcomes if name is not None]) == rounds
    assert [s.annotator for s in store.operations(a)] == [winners[at] for at in range(rounds)]
    assert {revision for at, name, revision in outcomes if at == 0} == {1}
    assert store.state(a) == refolded(store, a)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_killed_server_loses_nothing_that_it_acknowledged(database_url: str, seed: int) -> None:
    """500 random operations, the writer killed at a random one: what it acknowledged is stored, to the bit."""
    open_database(database_url).dispose()
    script = Path(__file__).with_name("random_log.py")
    kill_after = random.Random(seed).randrange(20, 200)
    writer = subprocess.Popen(
        [sys.executable, str(script), database_url, str(seed)], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert writer.stdout is not None
    acknowledged = 0
    for line in writer.stdout:
        acknowledged = int(line)
        if acknowledged >= kill_after:
            writer.send_signal(signal.SIGKILL)
            break
    # What it managed to say before it died counts as well.
    acknowledged = max([acknowledged, *(int(line) for line in writer.stdout.read().split("\n")[:-1])])
    assert writer.wait(30) == -signal.SIGKILL
    engine = open_database(database_url)
    store = Store(engine)
    a = first_case(store)
    stored = store.operations(a)
    wanted = random_operations(seed)
    assert kill_after <= acknowledged <= len(stored) < len(wanted)
    assert [s.operation for s in stored] == wanted[: len(stored)]
    state = store.state(a)
    assert state == refolded(store, a)
    expected = canvases(wanted[: len(stored)])
    assert {id: known.mask.on_image(40, 60).tobytes() for id, known in state.objects.items()} == expected
    # It goes on where it was.
    assert store.append(a, wanted[len(stored) :], len(stored), "ann").revision == len(wanted)
    assert {id: m.mask.on_image(40, 60).tobytes() for id, m in store.state(a).objects.items()} == canvases(wanted)
    engine.dispose()
