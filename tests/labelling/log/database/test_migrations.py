import sqlite3
from pathlib import Path
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from dentasam.errors import WorkspaceError
from dentasam.labelling.log.database.opening import open_database
from dentasam.labelling.log.database.tables import metadata
from dentasam.labelling.log.store import Store

from ...conftest import MANUAL, Make, block, case_image, downgrade, first_case


def test_the_migrations_make_the_tables_that_the_code_uses(database_url: str) -> None:
    engine = open_database(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        tables = set(inspect(connection).get_table_names())
    assert tables == {*metadata.tables, "alembic_version"}
    engine.dispose()


def test_constraints_have_the_names_that_later_migrations_will_use(database_url: str) -> None:
    engine = open_database(database_url)
    found = inspect(engine)
    for table in metadata.tables.values():
        assert found.get_pk_constraint(table.name)["name"] == f"pk_{table.name}"
        names = {str(key["name"]) for key in found.get_foreign_keys(table.name)}
        assert names == {str(key.name) for key in table.foreign_key_constraints}
    engine.dispose()


def test_opening_twice_changes_nothing(database_url: str) -> None:
    open_database(database_url).dispose()
    engine = open_database(database_url)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all() == ["0004"]
    engine.dispose()


def test_a_database_from_before_there_were_proposals_keeps_its_objects(database_url: str, make: Make) -> None:
    engine = open_database(database_url)
    store = Store(engine)
    store.sync_cases([case_image("a.png")])
    case = first_case(store)
    tooth = str(uuid4())
    labelled = [make("create", tooth, MANUAL), make("mask", tooth, {"tool": "brush"}, mask=block(3, 3, 9, 9))]
    store.append(case, labelled, 0, "anna")
    before, log = store.state(case), store.operations(case)
    downgrade(engine, "0002")
    engine.dispose()
    engine = open_database(database_url)
    after = Store(engine).state(case)
    assert after == before
    assert Store(engine).operations(case) == log
    assert after.missing == ()
    assert not after.objects[tooth].proposed
    assert [(each.objects, each.proposed) for each in Store(engine).cases()] == [(1, 0)]
    engine.dispose()


def test_a_newer_database_is_refused_untouched(database_url: str) -> None:
    engine = open_database(database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(WorkspaceError, match="written by a newer dentasam") as caught:
        open_database(database_url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("version", ["''", "7", "-1.5", "x'00ff'", "'0001\x16'", "'" + "x" * 2000 + "'"])
def test_a_damaged_version_is_said_in_one_line(tmp_path: Path, version: str) -> None:
    url = f"sqlite:///{tmp_path / 'labels.sqlite3'}"
    open_database(url).dispose()
    with sqlite3.connect(tmp_path / "labels.sqlite3") as connection:
        connection.execute("DROP TABLE alembic_version")
        connection.execute("CREATE TABLE alembic_version (version_num)")
        connection.execute(f"INSERT INTO alembic_version VALUES ({version})")
    connection.close()
    with pytest.raises(WorkspaceError, match=r"labels\.sqlite3: it.*(newer dentasam|version is damaged)") as caught:
        open_database(url)
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


def test_what_is_no_database_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.sqlite3").write_bytes(b"no database at all " * 100)
    # Another program's database is left alone.
    with sqlite3.connect(tmp_path / "other.sqlite3") as other:
        other.execute("CREATE TABLE cases (name TEXT)")
    for url, reason in (
        (f"sqlite:///{tmp_path / 'text.sqlite3'}", "file is not a database"),
        (f"sqlite:///{tmp_path / 'other.sqlite3'}", "holds no labels but cases"),
        (f"sqlite:///{tmp_path / 'no' / 'folder.sqlite3'}", "unable to open"),
        (f"postgresql://ann:secret@/none?host={tmp_path}", "cannot be opened"),
        ("mysql://host/name", "not supported"),
        ("no url", "malformed"),
        ("sqlite://", "sqlite:///PATH"),
    ):
        with pytest.raises(WorkspaceError, match=reason) as caught:
            open_database(url)
        assert "\n" not in str(caught.value)
        assert "secret" not in str(caught.value)
    with sqlite3.connect(tmp_path / "other.sqlite3") as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("cases",)]
