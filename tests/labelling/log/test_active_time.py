import csv
import io
import uuid
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentasam.labelling.log.active_time import Acts, Span, acts, counted, fresh_parts, timing_csv, uncovered
from dentasam.labelling.log.operations import StoredOperation
from dentasam.labelling.log.store import Store

from ..conftest import Make, block

TOOTH, CARIES = str(uuid.uuid4()), str(uuid.uuid4())
MANUAL = {"category": "36", "parent": None, "source": "manual"}
MODEL = {"name": "dentasam-tiny", "score": 0.5}


@dataclass(frozen=True)
class Reported:
    start: int
    seconds: float
    tool: str = "brush"
    object: str | None = None


SECONDS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 25)), max_size=12)


@given(SECONDS, SECONDS)
def test_a_second_counts_once_and_none_is_lost(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    clock = np.zeros(100, bool)
    for start, length in first + second:
        clock[start : start + length] = True
    taken: list[Span] = []
    for report in (first, second, first):
        parts = fresh_parts([Reported(start * 1000, length) for start, length in report], taken, 30.0)
        taken += [part for _, part in parts]
    assert sum(part.stop - part.start for part in taken) == pytest.approx(clock.sum())
    ordered = sorted(taken)
    assert all(before.stop <= after.start for before, after in pairwise(ordered))


def test_what_is_taken_cuts_a_span_into_parts() -> None:
    taken = [Span(2, 3), Span(5, 6), Span(9, 12)]
    assert uncovered(Span(0, 10), taken) == [Span(0, 2), Span(3, 5), Span(6, 9)]
    assert uncovered(Span(2.5, 2.75), taken) == []
    assert uncovered(Span(3, 5), taken) == [Span(3, 5)]
    assert uncovered(Span(4, 4), taken) == []


def test_an_interval_longer_than_the_idle_limit_ends_there() -> None:
    assert counted(Reported(1000, 100.0), 45.0) == Span(1.0, 46.0)
    assert counted(Reported(1000, 40.0), 45.0) == Span(1.0, 41.0)
    # The page sends pieces of 15 s, whatever shorter pause it leaves out.
    assert counted(Reported(1000, 15.0), 5.0) == Span(1.0, 16.0)


def session(make: Make) -> list[StoredOperation]:
    """A tooth by a click, a second click, two strokes of which one is taken back, and caries drawn by hand."""
    undone = make("mask", TOOTH, {"tool": "eraser"}, mask=block(0, 0, 3, 3))
    operations = [
        make("create", TOOTH, MANUAL),
        make("mask", TOOTH, {"tool": "click", "model": MODEL}, mask=block(0, 0, 5, 5)),
        make("mask", TOOTH, {"tool": "click", "model": MODEL | {"score": 0.75}}, mask=block(0, 0, 6, 5)),
        make("mask", TOOTH, {"tool": "brush"}, mask=block(0, 0, 7, 5)),
        make("mask", TOOTH, {"tool": "refine", "model": MODEL | {"score": 0.875}}, mask=block(0, 0, 7, 6)),
        undone,
        make("mask", TOOTH, {"tool": "eraser"}, mask=block(0, 0, 7, 6), undoes=undone.id),
        make("create", CARIES, MANUAL | {"category": "caries"}),
        make("mask", CARIES, {"tool": "lasso"}, mask=block(0, 0, 2, 2)),
        make("mask", CARIES, {"tool": "smooth"}, mask=block(0, 0, 2, 2)),
    ]
    return [StoredOperation(op, n, "ann", "2026-01-01T00:00:00+00:00") for n, op in enumerate(operations, 1)]


def test_acts_are_counted_and_what_was_undone_is_not(make: Make) -> None:
    assert acts(session(make)) == {
        ("ann", TOOTH, "click"): Acts(prompts=2, corrections=1),
        ("ann", TOOTH, "brush"): Acts(strokes=1, corrections=1),
        ("ann", TOOTH, "refine"): Acts(),
        ("ann", CARIES, "lasso"): Acts(strokes=1),
        ("ann", CARIES, "smooth"): Acts(),
    }


def test_a_stroke_on_what_was_imported_is_a_correction(sqlite_store: Store, make: Make) -> None:
    imported = make("create", TOOTH, MANUAL | {"source": "import"}, mask=block(0, 0, 5, 5))
    stroke = make("mask", TOOTH, {"tool": "brush"}, mask=block(0, 0, 6, 6))
    a = sqlite_store.cases()[0].id
    sqlite_store.append(a, [imported, stroke], 0, "ann")
    assert acts(sqlite_store.operations(a, masks=False)) == {("ann", TOOTH, "brush"): Acts(strokes=1, corrections=1)}


def test_the_table_adds_up_in_each_scope(store: Store, make: Make) -> None:
    a = store.cases()[0].id
    store.append(a, [stored.operation for stored in session(make)], 0, "ann")
    store.append(a, [make("mask", TOOTH, {"tool": "brush"}, mask=block(0, 0, 8, 8))], 10, "=bob")
    store.add_time(a, "ann", [Reported(0, 20.0, "click", TOOTH), Reported(20_000, 10.5, "brush", TOOTH)])
    store.add_time(a, "ann", [Reported(40_000, 5.0, "lasso", CARIES), Reported(50_000, 2.0, "view")])
    store.add_time(a, "=bob", [Reported(0, 3.0, "brush", TOOTH)])
    rows = list(csv.DictReader(io.StringIO(timing_csv(store))))
    assert {row["case"] for row in rows} == {"a.png"}
    assert {row["status"] for row in rows} == {"in-progress"}
    for scope in ("case", "tool", "object"):
        mine = [row for row in rows if row["scope"] == scope and row["annotator"] == "ann"]
        assert sum(float(row["seconds"]) for row in mine) == pytest.approx(37.5)
        assert [sum(int(row[key]) for row in mine) for key in ("prompts", "strokes", "corrections")] == [2, 2, 2]
    # No name is a formula to a table program.
    assert {row["annotator"]: row["seconds"] for row in rows if row["scope"] == "case"} == {
        "ann": "37.500",
        "'=bob": "3.000",
    }
    tools = {row["tool"]: row["seconds"] for row in rows if row["scope"] == "tool" and row["annotator"] == "ann"}
    assert tools == {"brush": "10.500", "click": "20.000", "lasso": "5.000", "refine": "0.000", "smooth": "0.000",
                     "view": "2.000"}  # fmt: skip
    objects = {row["object"]: row for row in rows if row["scope"] == "object" and row["annotator"] == "ann"}
    assert (objects[TOOTH]["seconds"], objects[TOOTH]["category"], objects[TOOTH]["model_score"]) == (
        "30.500", "36", "0.875",
    )  # fmt: skip
    assert (objects[CARIES]["seconds"], objects[CARIES]["model_score"]) == ("5.000", "")
    assert objects[""]["seconds"] == "2.000"


def test_a_worklist_without_work_has_a_table_without_rows(store: Store) -> None:
    assert timing_csv(store) == (
        "scope,case,status,annotator,tool,object,category,seconds,prompts,strokes,corrections,model_score\n"
    )
