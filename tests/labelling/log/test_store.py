import os
import random
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import event, text

from dentasam.errors import WorkspaceError
from dentasam.labelling.log.database import is_disk_full, open_database
from dentasam.labelling.log.fold import CaseState, fold
from dentasam.labelling.log.operations import OperationError
from dentasam.labelling.log.store import CaseNotFound, RevisionConflict, StorageFull, Store
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.wire.fields import MAX_COMMENT_LENGTH

from ..conftest import Make, block, case_image
from .random_log import canvases, random_operations

MANUAL = {"category": None, "parent": None, "source": "manual"}


@dataclass(frozen=True)
class Reported:
    tool: str
    object: str | None
    start: int
    seconds: float


@contextmanager
def counted_statements(store: Store) -> Iterator[list[str]]:
    found: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if not statement.startswith("BEGIN"):
            found.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(store.engine, "before_cursor_execute", note)


def refolded(store: Store, case_id: int) -> CaseState:
    state = CaseState()
    for stored in store.operations(case_id):
        state = fold(state, stored)
    return state


def first_case(store: Store) -> int:
    return store.cases()[0].id


def test_the_worklist_has_a_case_per_image(store: Store) -> None:
    assert [(case.name, case.width, case.height, case.status, case.revision) for case in store.cases()] == [
        ("a.png", 60, 40, "new", 0),
        ("b.png", 60, 40, "new", 0),
    ]
    ids = {case.name: case.id for case in store.cases()}
    assert store.sync_cases([case_image("b.png"), case_image("10.png"), case_image("9.png", bits=16)]) == []
    assert [case.name for case in store.cases()] == ["9.png", "10.png", "b.png"]
    assert store.cases()[0].bits == 16
    store.sync_cases([case_image("a.png"), case_image("b.png")])
    assert {case.name: case.id for case in store.cases()} == ids


def test_a_labelled_image_that_changed_its_size_is_left_out(store: Store, make: Make) -> None:
    a = first_case(store)
    store.append(a, [make("create", str(uuid.uuid4()), MANUAL, mask=block(0, 0, 5, 5))], 0, "ann")
    (problem,) = store.sync_cases([case_image("a.png", width=61), case_image("b.png", width=61)])
    assert "a.png is left out: it has 61x40 pixels, but was labelled at 60x40" in problem
    assert [(case.name, case.width) for case in store.cases()] == [("b.png", 61)]
    assert store.state(a).objects


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
    a, tooth, other = first_case(store), str(uuid.uuid4()), str(uuid.uuid4())
    mine, theirs = make("create", tooth, MANUAL), make("create", other, MANUAL)
    store.append(a, [mine], 0, "ann")
    store.append(a, [theirs], 1, "bob")
    late = make("lock", tooth, {"locked": True})
    for sent, expected in ([late], 1), ([mine, late], 0), ([late], 3):
        with pytest.raises(RevisionConflict) as caught:
            store.append(a, sent, expected, "ann")
        assert caught.value.revision == 2
    assert [s.operation.id for s in store.operations(a)] == [mine.id, theirs.id]
    # Sent again alone it is no conflict, since nothing new comes of it.
    assert store.append(a, [mine], 0, "ann").revision == 2
    assert store.append(a, [late], 2, "ann").revision == 3


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


def test_an_unknown_case_is_said_to_be_unknown(store: Store, make: Make) -> None:
    for ask in (
        lambda: store.case(99),
        lambda: store.state(99),
        lambda: store.operations(99),
        lambda: store.comments(99),
        lambda: store.add_comment(99, "ann", "text"),
        lambda: store.add_time(99, "ann", [Reported("brush", None, 0, 1)]),
        lambda: store.set_uncertainty(99, 0.5),
        lambda: store.append(99, [make("status", None, {"status": "done"})], 0, "ann"),
    ):
        with pytest.raises(CaseNotFound, match="no case has the id 99"):
            ask()


def test_of_writers_at_once_with_one_revision_one_wins(store: Store, make: Make) -> None:
    a = first_case(store)
    writers = 6
    ready = threading.Barrier(writers)
    outcomes: list[tuple[int, str | None, int]] = []
    rounds = 5

    def write(name: str, operations: list) -> None:
        for at, operation in enumerate(operations):
            ready.wait()
            try:
                outcomes.append((at, name, store.append(a, [operation], at, name).revision))
            except RevisionConflict as conflict:
                outcomes.append((at, None, conflict.revision))

    threads = [
        threading.Thread(
            target=write, args=(str(n), [make("create", str(uuid.uuid4()), MANUAL) for _ in range(rounds)])
        )
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


def test_readers_are_not_kept_waiting_by_a_writer(store: Store, make: Make) -> None:
    a = first_case(store)
    with store._writing() as connection:
        connection.execute(text("UPDATE cases SET status = 'done'"))
        assert store.case(a).status == "new"
    assert store.case(a).status == "done"


def test_comments_are_kept_in_order(store: Store) -> None:
    a, b = (case.id for case in store.cases())
    first = store.add_comment(a, "ann", " The apex of 36? <b>\0 ")
    second = store.add_comment(a, "bob", "Yes.")
    assert first.text == "The apex of 36? <b>"
    assert store.comments(a) == [first, second]
    assert store.comments(b) == []
    assert [case.comments for case in store.cases()] == [2, 0]
    for wrong in ("", " \n", "x" * (MAX_COMMENT_LENGTH + 1)):
        with pytest.raises(ValueError, match="a comment has"):
            store.add_comment(a, "ann", wrong)


def test_time_of_two_tabs_counts_once(store: Store) -> None:
    a, b = (case.id for case in store.cases())
    store.add_time(a, "ann", [Reported("brush", "x", 100_000, 10.0), Reported("click", None, 105_000, 10.0)])
    assert store.case(a).active_seconds == pytest.approx(15.0)
    # The other tab, on the other case: only what the first does not cover. And a report sent twice.
    for _ in range(2):
        store.add_time(b, "ann", [Reported("brush", None, 98_000, 20.0)])
    assert store.case(b).active_seconds == pytest.approx(5.0)
    store.add_time(a, "bob", [Reported("brush", None, 100_000, 10.0)])
    assert store.case(a).active_seconds == pytest.approx(25.0)
    assert [(t.annotator, t.tool, t.object, t.start, t.stop) for t in store.active_times(a)] == [
        ("ann", "brush", "x", 100.0, 110.0),
        ("bob", "brush", None, 100.0, 110.0),
        ("ann", "click", None, 110.0, 115.0),
    ]


def test_reports_at_once_count_once(store: Store) -> None:
    a = first_case(store)
    ready = threading.Barrier(4)

    def report() -> None:
        ready.wait()
        for second in range(5):
            store.add_time(a, "ann", [Reported("brush", None, 100_000 + 1000 * second, 1.0)])

    threads = [threading.Thread(target=report) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert store.case(a).active_seconds == pytest.approx(5.0)


def test_an_interval_ends_at_the_idle_cut_off(store: Store) -> None:
    a = first_case(store)
    store.add_time(a, "ann", [Reported("brush", None, 0, 3600.0)], idle_seconds=60.0)
    assert store.case(a).active_seconds == pytest.approx(60.0)
    store.add_time(a, "ann", [Reported("brush", None, 100_000, 0.0), Reported("brush", None, 100_000, -5.0)])
    assert store.case(a).active_seconds == pytest.approx(60.0)


def test_a_log_without_its_masks_still_tells_where_one_was(store: Store, make: Make) -> None:
    a, tooth = first_case(store), str(uuid.uuid4())
    drawn = make("create", tooth, MANUAL, mask=block(0, 0, 5, 5))
    bare = make("create", str(uuid.uuid4()), MANUAL)
    store.append(a, [drawn, bare, make("mask", tooth, {"tool": "brush"}, mask=block(0, 0, 6, 6))], 0, "ann")
    light = [stored.operation for stored in store.operations(a, masks=False)]
    assert [getattr(operation, "mask", None) for operation in light] == [BoxMask.empty(), None, BoxMask.empty()]
    assert [operation.id for operation in light] == [stored.operation.id for stored in store.operations(a)]


def test_opening_shows_one_moment(store: Store, make: Make) -> None:
    """A writer between the two statements of a read must not be half seen."""
    a, tooth = first_case(store), str(uuid.uuid4())
    store.append(a, [make("create", tooth, MANUAL)], 0, "ann")
    late = [make("lock", tooth, {"locked": True})]
    wrote = threading.Event()

    def write_in_between(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if "FROM objects" in statement and threading.current_thread() is reader and not wrote.is_set():
            wrote.set()
            writer = threading.Thread(target=store.append, args=(a, late, 1, "bob"))
            writer.start()
            writer.join(60)

    reader = threading.current_thread()
    event.listen(store.engine, "before_cursor_execute", write_in_between)
    state = store.state(a)
    assert wrote.is_set()
    assert (state.revision, state.objects[tooth].locked) == (1, False)
    assert (store.state(a).revision, store.state(a).objects[tooth].locked) == (2, True)


def test_uncertainty_is_kept(store: Store) -> None:
    a = first_case(store)
    store.set_uncertainty(a, 0.25)
    assert store.case(a).uncertainty == 0.25
    store.set_uncertainty(a, float("nan"))
    assert store.case(a).uncertainty is None


def test_a_full_sqlite_disk_is_said_in_one_line_and_loses_nothing(tmp_path: Path, make: Make) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'labels.sqlite3'}")
    pages = ["1000000"]
    event.listen(engine, "checkout", lambda dbapi, *rest: dbapi.execute(f"PRAGMA max_page_count={pages[0]}"))
    store = Store(engine)
    store.sync_cases([case_image("a.png")])
    a, tooth = first_case(store), str(uuid.uuid4())
    store.append(a, [make("create", tooth, MANUAL)], 0, "ann")
    pages[0] = "1"  # no fewer than there are; none more
    draw = random.Random(0)
    noise = block(0, 0, 40, 60)
    noise.reshape(-1)[draw.sample(range(noise.size), noise.size // 2)] = False
    big = [make("mask", tooth, {"tool": "brush"}, mask=noise) for _ in range(200)]
    with pytest.raises(StorageFull, match="the disk of the labelling database is full") as caught:
        store.append(a, big, 1, "ann")
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, WorkspaceError)
    assert (store.case(a).revision, len(store.operations(a))) == (1, 1)
    pages[0] = "1000000"
    assert store.append(a, big, 1, "ann").revision == 201
    engine.dispose()


def test_a_full_postgresql_disk_is_told_by_its_code(database_url: str, make: Make) -> None:
    if not database_url.startswith("postgresql"):
        # SQLite's own way of running full is the test above.
        assert is_disk_full(OSError(28, "No space left on device"))
        assert not is_disk_full(OSError(13, "Permission denied"))
        return
    engine = open_database(database_url)
    store = Store(engine)
    store.sync_cases([case_image("a.png")])
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER full_disk BEFORE INSERT ON operations FOR EACH ROW EXECUTE FUNCTION full_disk()"
        )
    a = first_case(store)
    with pytest.raises(StorageFull):
        store.append(a, [make("create", str(uuid.uuid4()), MANUAL)], 0, "ann")
    assert (store.case(a).revision, store.state(a).objects) == (0, {})
    engine.dispose()


def test_listing_and_opening_cost_the_same_however_much_there_is(sqlite_store: Store, make: Make) -> None:
    sqlite_store.sync_cases([case_image(f"{number}.png") for number in range(200)])
    mask = block(3, 3, 20, 20)
    # What is counted here is statements; no power will fail.
    event.listen(sqlite_store.engine, "checkout", lambda dbapi, *rest: dbapi.execute("PRAGMA synchronous=OFF"))
    for case in sqlite_store.cases():
        created = [make("create", str(uuid.uuid4()), MANUAL, mask=mask) for _ in range(32)]
        sqlite_store.append(case.id, created, 0, "ann")
    with counted_statements(sqlite_store) as statements:
        listed = sqlite_store.cases()
    assert len(listed) == 200
    assert {case.objects for case in listed} == {32}
    assert len(statements) == 1
    a = listed[0].id
    for _ in range(20):
        edited = [make("mask", object, {"tool": "brush"}, mask=mask) for object in sqlite_store.state(a).objects]
        sqlite_store.append(a, edited, sqlite_store.case(a).revision, "ann")
    with counted_statements(sqlite_store) as statements:
        assert len(sqlite_store.state(a).objects) == 32
    assert len(statements) == 2
    assert not any("operations" in statement for statement in statements)
    with counted_statements(sqlite_store) as statements:
        sqlite_store.append(
            a, [make("accept", next(iter(sqlite_store.state(a).objects)), {"accepted": True})], 672, "ann"
        )
    writes = [statement.split()[0] for statement in statements]
    # The state that was asked for, then: the case, known ids, the one object; log, object, case.
    assert writes == ["SELECT", "SELECT", "SELECT", "SELECT", "SELECT", "INSERT", "UPDATE", "UPDATE"]


def test_sqlite_writes_what_it_acknowledges_to_the_disk(sqlite_store: Store) -> None:
    with sqlite_store.engine.connect() as connection:
        settings = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in
                    ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")]  # fmt: skip
    assert settings == ["wal", 2, 1, 30_000]


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
