"""A damaged database: what is whole stays, what is damaged is named, and nothing else is given out."""

import logging
import shutil
import sqlite3
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import IntegrityError

from dentasam.errors import WorkspaceError
from dentasam.labelling.exchange.offline import Place, open_workspace
from dentasam.labelling.log.database.checksums import is_whole
from dentasam.labelling.log.database.damage import Damage, DamagedData, naming
from dentasam.labelling.log.database.opening import open_database
from dentasam.labelling.log.database.sqlite_check import check_sqlite
from dentasam.labelling.log.database.tables import cases, comments, metadata, objects, operations
from dentasam.labelling.log.database.transactions import writing
from dentasam.labelling.log.read import read_state
from dentasam.labelling.log.store import Store

from ...conftest import MANUAL, Make, Reported, block, case_image, downgrade, first_case
from .damaged_files import Truth, bend_database, truth_of, verdict
from .damaged_workspace import labelled_folder

ONE, OTHER = str(uuid4()), str(uuid4())


@pytest.fixture
def labelled(store: Store, make: Make) -> Store:
    """Two objects in a.png, each created and painted: revisions 1 to 4."""
    made = [make("create", id, MANUAL | {"category": "36"}) for id in (ONE, OTHER)]
    painted = [make("mask", id, {"tool": "brush"}, mask=block(3, 3, 9, 9)) for id in (ONE, OTHER)]
    a = first_case(store)
    store.append(a, [*made, *painted], 0, "anna")
    store.add_comment(a, "anna", "see the root")
    store.add_time(a, "anna", [Reported(1_000_000, 5.0)])
    return store


def flipped(masks: bytes) -> bytes:
    """Masks with a bit flipped in their last run, which still are masks of the same size."""
    return masks[:-2] + bytes([masks[-2] ^ 1, masks[-1] ^ 1])


def damage_object(store: Store, id: str = ONE) -> None:
    with writing(store.engine) as connection:
        masks = connection.execute(select(objects.c.masks).where(objects.c.id == id)).scalar_one()
        connection.execute(update(objects).where(objects.c.id == id).values(masks=flipped(masks)))


def damage_operation(store: Store, revision: int = 3) -> None:
    with writing(store.engine) as connection:
        masks = connection.execute(select(operations.c.masks).where(operations.c.revision == revision)).scalar_one()
        connection.execute(update(operations).where(operations.c.revision == revision).values(masks=flipped(masks)))


def test_every_row_has_its_checksum(labelled: Store) -> None:
    with labelled.engine.connect() as connection:
        for name in ("cases", "operations", "objects", "comments", "intervals"):
            rows = [dict(row) for row in connection.execute(select(metadata.tables[name])).mappings()]
            assert rows
            assert all(is_whole(name, row) for row in rows)
            changed = {"name": "x", "annotator": "x"}
            key = next(key for key in changed if key in rows[0])
            assert not is_whole(name, {**rows[0], key: "x"})


def test_an_upgraded_database_has_the_same_checksums(labelled: Store, database_url: str) -> None:
    def sums() -> list[object]:
        with labelled.engine.connect() as connection:
            tables = (cases, operations, objects, comments, metadata.tables["intervals"])
            return [list(connection.execute(select(table.c.checksum).order_by(table.c[0]))) for table in tables]

    before, state = sums(), labelled.state(first_case(labelled))
    downgrade(labelled.engine, "0003")
    labelled.engine.dispose()
    open_database(database_url).dispose()
    assert sorted(map(str, sums())) == sorted(map(str, before))
    assert labelled.state(first_case(labelled)) == state


def test_a_damaged_object_is_rebuilt_from_the_log_with_a_notice(
    labelled: Store, caplog: pytest.LogCaptureFixture
) -> None:
    a = first_case(labelled)
    before = labelled.state(a)
    damage_object(labelled)
    with caplog.at_level(logging.WARNING):
        assert labelled.state(a) == before
    assert caplog.messages == [f"a.png: object 36 ({ONE}) was damaged and was rebuilt from the log"]
    caplog.clear()
    assert labelled.state(a) == before
    assert caplog.messages == []


@pytest.mark.parametrize("depth", [150, 900, 3_000])
@pytest.mark.parametrize("column", ["objects.prompts", "objects.model", "objects.touches", "cases.missing"])
def test_a_column_that_is_nested_deeply_is_rebuilt(labelled: Store, column: str, depth: int) -> None:
    a = first_case(labelled)
    before = labelled.state(a), labelled.case(a)
    nest_deeply(labelled, column, depth)
    assert (labelled.state(a), labelled.case(a)) == before
    assert labelled.checked_log(a).damages == ()


@pytest.mark.parametrize("depth", [150, 3_000])
def test_an_operation_that_is_nested_deeply_is_named(labelled: Store, depth: int) -> None:
    nest_deeply(labelled, "operations.data", depth)
    a = first_case(labelled)
    assert len(labelled.state(a).objects) == 2
    damages = labelled.checked_log(a).damages
    assert [damage.case for damage in damages] == ["a.png"] * 4
    assert "its operation 1 is damaged in the log" in damages[0].line


def nest_deeply(store: Store, column: str, depth: int) -> None:
    table, name = column.split(".")
    with writing(store.engine) as connection:
        nested = "[" * depth + "]" * depth
        cast = "" if connection.dialect.name == "sqlite" else "::json"
        connection.execute(text(f"UPDATE {table} SET {name} = '{nested}'{cast}"))


def test_a_lost_object_is_rebuilt_too(labelled: Store) -> None:
    a = first_case(labelled)
    before = labelled.state(a)
    with writing(labelled.engine) as connection:
        connection.execute(delete(objects).where(objects.c.id == ONE))
    assert labelled.state(a) == before


def test_what_the_log_cannot_give_back_is_named_and_all_else_goes_on(labelled: Store, make: Make) -> None:
    a = first_case(labelled)
    damage_object(labelled)
    damage_operation(labelled)
    state = labelled.state(a)
    assert list(state.objects) == [OTHER]
    assert [damage.line for damage in state.damaged] == [
        f"a.png: object 36 ({ONE}): its row in the database is damaged"
    ]
    labelled.append(a, [make("lock", OTHER, {"locked": True})], 4, "anna")
    with pytest.raises(DamagedData, match=rf"a.png: object 36 \({ONE}\)") as caught:
        labelled.append(a, [make("lock", ONE, {"locked": True})], 5, "anna")
    assert caught.value.objects == [ONE]
    assert labelled.case(a).revision == 5


def test_a_damaged_operation_is_named_by_its_object(labelled: Store, make: Make) -> None:
    a = first_case(labelled)
    damage_operation(labelled)
    with pytest.raises(DamagedData, match=rf"a.png: object 36 \({ONE}\): its operation 3 is damaged in the log"):
        labelled.operations(a)
    assert labelled.state(a).damaged == ()
    labelled.append(a, [make("lock", ONE, {"locked": True})], 4, "anna")
    assert len(labelled.operations(a, since=3)) == 2


@pytest.mark.parametrize("stored", ["'zz'", "x'ff00'"])
def test_a_revision_that_is_no_number_is_named(sqlite_store: Store, make: Make, stored: str) -> None:
    a = first_case(sqlite_store)
    sqlite_store.append(a, [make("create", ONE, MANUAL), make("create", OTHER, MANUAL)], 0, "anna")
    with writing(sqlite_store.engine) as connection:
        connection.exec_driver_sql(f"UPDATE operations SET revision = {stored} WHERE revision = 1")
    lines = [damage.line for damage in sqlite_store.checked_log(a).damages]
    assert "a.png: an operation's revision is damaged in its log" in lines
    assert list(sqlite_store.state(a).objects) == [ONE, OTHER]


def test_missing_operations_are_seen(labelled: Store) -> None:
    a = first_case(labelled)
    with writing(labelled.engine) as connection:
        connection.execute(delete(operations).where(operations.c.revision == 4))
    with pytest.raises(DamagedData, match=r"a\.png: operations after 3 are missing in its log"):
        labelled.operations(a)
    assert labelled.checked_log(a).undamaged == []


@pytest.mark.parametrize(
    "change", ["status = 'done'", "revision = 2", "object_rows = 9", "missing = '[\"18\"]'", "comment_rows = 0"]
)
def test_a_damaged_case_is_rebuilt_from_its_log(labelled: Store, change: str) -> None:
    a, before = first_case(labelled), labelled.cases()
    with writing(labelled.engine) as connection:
        connection.execute(text(f"UPDATE cases SET {change} WHERE id = {a}"))
    assert labelled.cases() == before
    assert labelled.case(a).status == "in-progress"


@pytest.mark.parametrize("change", ["name = 'x.png'", "width = 61", "height = 1", "bits = 16", "checksum = 7"])
def test_a_damaged_case_is_recognised_by_its_image(labelled: Store, change: str) -> None:
    a, before = first_case(labelled), labelled.cases()
    with writing(labelled.engine) as connection:
        connection.execute(text(f"UPDATE cases SET {change} WHERE id = {a}"))
    assert labelled.sync_cases([case_image("a.png"), case_image("b.png")]) == []
    assert labelled.cases() == before


@pytest.mark.parametrize("stored", ["99", "2", "-1", "0.5", "'zz'", "''", "x'ff00'", "x''"])
@pytest.mark.parametrize("also", ["", ", status = 'done'"])
def test_a_case_is_not_hidden_by_a_damaged_flag(
    folder: Path, whole: Truth, stored: str, also: str, caplog: pytest.LogCaptureFixture
) -> None:
    change_file(folder, f"UPDATE cases SET present = {stored}{also} WHERE name = '2.png'")
    with caplog.at_level(logging.WARNING), open_workspace(folder) as (_, store, problems):
        assert problems == []
        assert [case.name for case in store.cases()] == ["0.png", "1.png", "2.png", "3.png"]
        assert [case.objects for case in store.cases()] == [8, 8, 8, 8]
    notice = "2.png: whether its image is there was damaged and was stored again"
    assert notice in caplog.messages
    caplog.clear()
    with open_workspace(folder) as (_, store, _):
        assert len(store.cases()) == 4
    assert caplog.messages == []


def test_a_case_whose_flag_says_that_its_image_is_missing_is_shown_again(folder: Path) -> None:
    change_file(folder, "UPDATE cases SET present = 0 WHERE name = '2.png'")
    with open_workspace(folder) as (_, store, _):
        assert [case.objects for case in store.cases()] == [8, 8, 8, 8]


def test_a_damaged_case_whose_flag_says_that_its_image_is_missing_is_named(labelled: Store) -> None:
    damage_operation(labelled)
    with writing(labelled.engine) as connection:
        connection.execute(text("UPDATE cases SET status = 'done', present = false WHERE name = 'a.png'"))
        connection.execute(text("UPDATE cases SET checksum = 7 WHERE name = 'a.png'"))
    (line,) = labelled.sync_cases([case_image("a.png"), case_image("b.png")])
    assert line.startswith("a.png: its row in the database is damaged")
    assert [(case.name, case.damaged) for case in labelled.cases()] == [("a.png", True), ("b.png", False)]


def test_a_damaged_flag_of_a_missing_image_hides_its_case_again(folder: Path) -> None:
    (folder / "2.png").unlink()
    change_file(folder, "UPDATE cases SET present = 99 WHERE name = '2.png'")
    with open_workspace(folder) as (_, store, _):
        assert [case.name for case in store.cases()] == ["0.png", "1.png", "3.png"]


@pytest.mark.parametrize("column", ["deleted", "proposed", "locked", "accepted"])
@pytest.mark.parametrize("stored", ["99", "''", "x''"])
def test_an_object_is_not_hidden_by_a_damaged_flag(folder: Path, column: str, stored: str) -> None:
    with open_workspace(folder) as (_, store, _):
        before = [store.state(case.id) for case in store.cases()]
    change_file(folder, f"UPDATE objects SET {column} = {stored} WHERE case_id = 2")
    with open_workspace(folder) as (_, store, _):
        assert [store.state(case.id) for case in store.cases()] == before
        assert [case.objects for case in store.cases()] == [8, 8, 8, 8]


def change_file(folder: Path, statement: str) -> None:
    connection = sqlite3.connect(folder / ".dentasam" / "labels.sqlite3")
    with connection:
        connection.execute(statement)
    connection.close()


def test_a_case_that_nobody_can_vouch_for_is_named(labelled: Store) -> None:
    a = first_case(labelled)
    damage_operation(labelled)
    with writing(labelled.engine) as connection:
        connection.execute(text(f"UPDATE cases SET status = 'done', checksum = 7 WHERE id = {a}"))
    (line,) = labelled.sync_cases([case_image("a.png"), case_image("b.png")])
    assert line.startswith("a.png: its row in the database is damaged; see Damage")
    assert [(case.name, case.damaged) for case in labelled.cases()] == [("a.png", True), ("b.png", False)]
    with pytest.raises(DamagedData, match=r"^a\.png: its row in the database is damaged"):
        labelled.state(a)


def test_lost_cases_do_not_start_anew(labelled: Store) -> None:
    with writing(labelled.engine) as connection:
        connection.execute(text("INSERT INTO workspace (id, case_rows) VALUES ('x', 2)"))
        connection.execute(delete(cases).where(cases.c.name == "b.png"))
    for _ in range(2):
        lines = labelled.sync_cases([case_image("a.png"), case_image("b.png")])
        assert [line.partition(";")[0] for line in lines] == [
            "1 cases are missing from the database, and no new ones are added",
            "b.png has no case in the database",
        ]


def test_damaged_comments_and_times_are_left_out_and_named(labelled: Store) -> None:
    a = first_case(labelled)
    with writing(labelled.engine) as connection:
        connection.execute(text("UPDATE comments SET text = 'see the rood'"))
        connection.execute(text("UPDATE intervals SET stop = stop + 64"))
    damages: list[Damage] = []
    assert labelled.comments(a, damages) == []
    assert labelled.active_times(a, damages) == []
    assert [damage.line for damage in damages] == [
        "a.png: comment 1 is damaged in the database",
        "a.png: 1 spans of active time are damaged",
    ]


def test_a_value_that_cannot_be_decoded_hides_no_other_row(
    sqlite_store: Store, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    a = first_case(sqlite_store)
    sqlite_store.append(a, [make("create", ONE, MANUAL), make("create", OTHER, MANUAL)], 0, "anna")
    with writing(sqlite_store.engine) as connection:
        connection.exec_driver_sql("UPDATE objects SET annotator = CAST(x'ff41' AS TEXT) WHERE id = ?", (ONE,))
        connection.exec_driver_sql("UPDATE operations SET data = '{\"cat' WHERE object_id = ?", (ONE,))
    state = sqlite_store.state(a)
    assert (list(state.objects), [damage.object for damage in state.damaged]) == ([OTHER], [ONE])
    assert any("JSONDecodeError" in record.getMessage() and record.exc_info for record in caplog.records)


def test_a_constraint_that_fails_is_damage_with_its_cause() -> None:
    failed = sqlite3.IntegrityError("UNIQUE constraint failed: operations.id")
    failed.sqlite_errorcode = sqlite3.SQLITE_CONSTRAINT_UNIQUE
    with pytest.raises(DamagedData, match=r"^a\.png: cannot be read") as caught, naming(lambda: "a.png"):
        raise IntegrityError("INSERT", {}, failed)
    assert isinstance(caught.value.__cause__, IntegrityError)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    base = tmp_path_factory.mktemp("damage")
    return truth_of(labelled_folder(base / "images"), base)


@pytest.mark.parametrize("seed", range(12))
def test_damaged_files_end_in_the_truth_or_in_a_line(whole: Truth, tmp_path: Path, seed: int) -> None:
    assert verdict(whole, bend_database(whole.database, seed), tmp_path) in ("right", "named", "refused")


@pytest.mark.parametrize("seed", [29, 235, 443])
def test_damage_that_once_ended_in_a_traceback(whole: Truth, tmp_path: Path, seed: int) -> None:
    verdict(whole, bend_database(whole.database, seed), tmp_path)


@pytest.fixture
def folder(whole: Truth, tmp_path: Path) -> Path:
    shutil.copytree(whole.folder, tmp_path / "images")
    (tmp_path / "images" / ".dentasam" / "labels.sqlite3").write_bytes(whole.database)
    return tmp_path / "images"


def refusal(folder: Path) -> str:
    with pytest.raises(WorkspaceError) as caught, open_workspace(folder):
        pass
    (line,) = str(caught.value).splitlines()
    return line


@pytest.mark.parametrize("left", [None, b""])
def test_a_database_that_is_gone_is_not_made_anew(folder: Path, left: bytes | None) -> None:
    file, id = folder / ".dentasam" / "labels.sqlite3", folder / ".dentasam" / "id"
    for journal in folder.glob(".dentasam/labels.sqlite3*"):
        journal.unlink()
    if left is not None:
        file.write_bytes(left)
    line = refusal(folder)
    assert line.startswith(f"{file} is not there, or empty, but {file.parent} has had a database before: restore it")
    assert f"to start without its labels, delete {id}" in line
    assert file.exists() == (left is not None)
    id.unlink()
    with open_workspace(folder) as (_, store, _):
        assert [case.objects for case in store.cases()] == [0, 0, 0, 0]


def test_a_database_whose_rows_are_gone_is_refused(folder: Path, whole: Truth, database_url: str) -> None:
    engine = open_database(database_url)
    engine.dispose()
    with (
        pytest.raises(WorkspaceError, match=r"has had a database before"),
        open_workspace(Place(folder, database=database_url)),
    ):
        pass


def test_a_truncated_database_is_refused_with_what_to_do(folder: Path, whole: Truth) -> None:
    file = folder / ".dentasam" / "labels.sqlite3"
    file.write_bytes(whole.database[: len(whole.database) // 2])
    line = refusal(folder)
    assert str(file) in line
    assert "see Damage in docs/labelling-server.md" in line


def test_damaged_indexes_are_made_again(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = folder / ".dentasam" / "labels.sqlite3"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_objects_1'"
        ).fetchone()
    connection.close()
    content = bytearray(file.read_bytes())
    content[(root - 1) * 4096 + 4000] ^= 1
    file.write_bytes(content)
    assert check_sqlite(file).problems
    with caplog.at_level(logging.WARNING), open_workspace(folder) as (_, store, _):
        assert [case.objects for case in store.cases()] == [8, 8, 8, 8]
    assert any("had damaged indexes" in message for message in caplog.messages)
    assert check_sqlite(file).problems == ()


def test_a_check_that_takes_too_long_is_left(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dentasam.labelling.log.database.sqlite_check.STEPS", 1)
    found = check_sqlite(folder / ".dentasam" / "labels.sqlite3", seconds=-1)
    assert (found.problems, found.complete) == ((), False)


def test_a_table_that_is_gone_is_named(folder: Path) -> None:
    file = folder / ".dentasam" / "labels.sqlite3"
    connection = sqlite3.connect(file)
    connection.execute("DROP TABLE comments")
    connection.close()
    assert "its table comments lacks id, case_id" in refusal(folder)


def test_anothers_journal_is_not_written_into_the_database(folder: Path, whole: Truth, tmp_path: Path) -> None:
    file = folder / ".dentasam" / "labels.sqlite3"
    other = sqlite3.connect(tmp_path / "other.sqlite3", isolation_level=None)
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("PRAGMA wal_autocheckpoint = 0")
    other.execute("CREATE TABLE notes (text TEXT)")
    other.executemany("INSERT INTO notes VALUES (?)", [("x" * 500,)] * 50)
    shutil.copy(tmp_path / "other.sqlite3-wal", f"{file}-wal")
    other.close()
    line = refusal(folder)
    assert "labels.sqlite3" in line
    assert file.read_bytes() == whole.database


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (b"\x07garbage" * 600, "damaged or no journal; move labels.sqlite3-journal out of the folder"),
        (bytes.fromhex("d9d505f920a163d7") + b"\x01" * 4096, "is of an interrupted write; copy both"),
    ],
)
def test_a_journal_that_prevents_opening_is_named(folder: Path, whole: Truth, content: bytes, advice: str) -> None:
    file = folder / ".dentasam" / "labels.sqlite3"
    journal = file.with_name("labels.sqlite3-journal")
    journal.write_bytes(content)
    line = refusal(folder)
    assert line.startswith(f"{file} cannot be opened, because labels.sqlite3-journal beside it")
    assert advice in line
    assert "permissions" not in line
    assert file.read_bytes() == whole.database
    journal.unlink()
    with open_workspace(folder) as (_, store, _):
        assert [case.objects for case in store.cases()] == [8, 8, 8, 8]


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (1, "1 object more than it had is in the database; compare it with a backup"),
        (0, "2 objects more than it had are in the database; compare it with a backup"),
        (3, "1 object of it cannot be found in the database"),
    ],
)
def test_a_wrong_number_of_objects_is_named(labelled: Store, rows: int, what: str) -> None:
    with labelled.engine.connect() as connection:
        case = dict(connection.execute(select(cases).where(cases.c.name == "a.png")).mappings().one())
        state = read_state(connection, {**case, "object_rows": rows}, whole=False)
    assert [damage.line for damage in state.damaged] == [f"a.png: {what}"]
