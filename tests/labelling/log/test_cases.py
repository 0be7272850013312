import math
import uuid

import pytest
from sqlalchemy import insert, select, text, update

from dentasam.labelling.log.database.tables import cases, intervals, workspace
from dentasam.labelling.log.database.transactions import writing
from dentasam.labelling.log.store import Store

from ..conftest import MANUAL, Make, Reported, block, case_image, first_case


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


def test_uncertainty_is_kept(store: Store) -> None:
    a = first_case(store)
    store.set_uncertainty(a, 0.25)
    assert store.case(a).uncertainty == 0.25
    store.set_uncertainty(a, float("nan"))
    assert store.case(a).uncertainty is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.5, 1.5])
def test_an_uncertainty_that_is_none_is_unknown(store: Store, value: float) -> None:
    a = first_case(store)
    store.set_uncertainty(a, value)
    assert store.case(a).uncertainty is None
    # SQLite stores NaN as NULL.
    with writing(store.engine) as connection:
        connection.execute(update(cases).where(cases.c.id == a).values(uncertainty=value))
    assert store.case(a).uncertainty is None
    assert [(case.uncertainty, case.damaged) for case in store.cases()] == [(None, False)] * 2


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_active_time_that_is_no_time_is_not_counted(store: Store, value: float) -> None:
    a = first_case(store)
    store.add_time(a, "anna", [Reported(1_000_000, 5.0)])
    assert store.case(a).active_seconds == 5
    with writing(store.engine) as connection:
        has_nan = connection.dialect.name == "postgresql"
        connection.execute(update(intervals).values(stop=math.inf if math.isnan(value) and not has_nan else value))
    assert store.case(a).active_seconds == 0
    assert [case.active_seconds for case in store.cases()] == [0, 0]


@pytest.mark.parametrize("stored", ["'zz'", "x'ff00'", "-1"])
def test_a_number_of_cases_that_is_none_is_counted_again(sqlite_store: Store, stored: str) -> None:
    with writing(sqlite_store.engine) as connection:
        connection.execute(insert(workspace).values(id="x"))
        connection.execute(text(f"UPDATE workspace SET case_rows = {stored}"))
    assert sqlite_store.sync_cases([case_image("a.png"), case_image("b.png")]) == []
    with writing(sqlite_store.engine) as connection:
        assert connection.scalar(select(workspace.c.case_rows)) == 2
