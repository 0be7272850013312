"""What reads met is what the worklist says, and no row is read for it."""

import pytest
from sqlalchemy import select, text, update

from dentasam.labelling.log.database.damage import DamagedData
from dentasam.labelling.log.database.known_damage import KnownDamage
from dentasam.labelling.log.database.tables import objects
from dentasam.labelling.log.database.transactions import writing
from dentasam.labelling.log.store import Store

from ...conftest import MANUAL, Make, block, first_case
from ..test_store import counted_statements

TOOTH = "0b8f1f6e-3a77-4a6e-9b9a-6b2f5c1d7e11"


def test_a_case_is_damaged_for_as_long_as_one_of_its_parts_is() -> None:
    known = KnownDamage()
    known.note(1, "objects", False)
    assert (1 in known, known.changes) == (False, 0)
    known.note(1, "objects", True)
    known.note(1, "comments", True)
    known.note(1, "objects", True)
    assert (1 in known, 2 in known, known.changes) == (True, False, 1)
    known.note(1, "objects", False)
    assert 1 in known
    known.note(1, "comments", False)
    assert (1 in known, known.changes) == (False, 2)


def test_reads_that_met_damage_are_remembered(sqlite_store: Store, make: Make) -> None:
    a = first_case(sqlite_store)
    made = [make("create", TOOTH, MANUAL), make("mask", TOOTH, {"tool": "brush"}, mask=block(3, 3, 9, 9))]
    sqlite_store.append(a, made, 0, "anna")
    sqlite_store.add_comment(a, "anna", "see the root")
    assert a not in sqlite_store.known_damage

    with writing(sqlite_store.engine) as connection:
        connection.execute(text("UPDATE comments SET text = 'bent'"))
    damages: list[object] = ["before"]
    assert sqlite_store.comments(a, damages) == []  # type: ignore[arg-type]
    assert len(damages) == 2
    assert a in sqlite_store.known_damage

    with writing(sqlite_store.engine) as connection:
        connection.execute(text("UPDATE comments SET text = 'see the root'"))
        masks = connection.execute(select(objects.c.masks)).scalar_one()
        connection.execute(text("UPDATE operations SET annotator = 'bent' WHERE revision = 2"))
        connection.execute(update(objects).values(masks=masks[:-1] + b"!"))
    assert sqlite_store.comments(a)[0].text == "see the root"
    assert a not in sqlite_store.known_damage
    with pytest.raises(DamagedData):
        sqlite_store.operations(a)
    assert a in sqlite_store.known_damage
    assert sqlite_store.state(a).damaged

    # Whole again, as after a mistake of the disk that passed.
    with writing(sqlite_store.engine) as connection:
        connection.execute(text("UPDATE operations SET annotator = 'anna'"))
    sqlite_store.state(a)
    assert a in sqlite_store.known_damage
    sqlite_store.operations(a)
    assert a not in sqlite_store.known_damage


def test_the_list_reads_nothing_for_it(sqlite_store: Store) -> None:
    with counted_statements(sqlite_store) as before:
        sqlite_store.cases()
    sqlite_store.known_damage.note(first_case(sqlite_store), "log", True)
    with counted_statements(sqlite_store) as after:
        sqlite_store.cases()
    assert len(after) == len(before) == 1
