import random
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event, text

from dentasam.errors import WorkspaceError
from dentasam.labelling.log.cases import CaseNotFound
from dentasam.labelling.log.database.failures import is_disk_full
from dentasam.labelling.log.database.opening import open_database
from dentasam.labelling.log.database.transactions import writing
from dentasam.labelling.log.store import StorageFull, Store
from dentasam.labelling.wire.box_mask import BoxMask

from ..conftest import MANUAL, Make, Reported, block, case_image, first_case


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


def test_an_unknown_case_is_said_to_be_unknown(store: Store, make: Make) -> None:
    for ask in (
        lambda: store.case(99),
        lambda: store.state(99),
        lambda: store.operations(99),
        lambda: store.comments(99),
        lambda: store.add_comment(99, "ann", "text"),
        lambda: store.add_time(99, "ann", [Reported(0, 1)]),
        lambda: store.set_uncertainty(99, 0.5),
        lambda: store.append(99, [make("status", None, {"status": "done"})], 0, "ann"),
    ):
        with pytest.raises(CaseNotFound, match="no case has the id 99"):
            ask()


def test_readers_are_not_kept_waiting_by_a_writer(store: Store, make: Make) -> None:
    a = first_case(store)
    with writing(store.engine) as connection:
        connection.execute(text("UPDATE cases SET uncertainty = 0.5"))
        assert store.case(a).uncertainty is None
    assert store.case(a).uncertainty == 0.5


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
