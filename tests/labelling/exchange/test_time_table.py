import csv
import io
import uuid

import pytest

from dentasam.labelling.exchange.time_table import ActionCounts, count_actions, timing_csv
from dentasam.labelling.log.operations import StoredOperation
from dentasam.labelling.log.store import Store

from ..conftest import Make, Reported, block

TOOTH, CARIES = str(uuid.uuid4()), str(uuid.uuid4())
TOOTH_LABEL = {"category": "36", "parent": None, "source": "manual"}
MODEL = {"name": "dentasam-tiny", "score": 0.5}


def session(make: Make) -> list[StoredOperation]:
    """A tooth by a click, another choice, a second click, two strokes (one taken back), and caries drawn by hand."""
    undone = make("mask", TOOTH, {"tool": "eraser"}, mask=block(0, 0, 3, 3))
    operations = [
        make("create", TOOTH, TOOTH_LABEL),
        make("mask", TOOTH, {"tool": "click", "model": MODEL}, mask=block(0, 0, 5, 5)),
        make("mask", TOOTH, {"tool": "choice", "model": MODEL | {"score": 0.25}}, mask=block(0, 0, 3, 3)),
        make("mask", TOOTH, {"tool": "click", "model": MODEL | {"score": 0.75}}, mask=block(0, 0, 6, 5)),
        make("mask", TOOTH, {"tool": "brush"}, mask=block(0, 0, 7, 5)),
        make("mask", TOOTH, {"tool": "refine", "model": MODEL | {"score": 0.875}}, mask=block(0, 0, 7, 6)),
        undone,
        make("mask", TOOTH, {"tool": "eraser"}, mask=block(0, 0, 7, 6), undoes=undone.id),
        make("create", CARIES, TOOTH_LABEL | {"category": "caries"}),
        make("mask", CARIES, {"tool": "lasso"}, mask=block(0, 0, 2, 2)),
        make("mask", CARIES, {"tool": "smooth"}, mask=block(0, 0, 2, 2)),
    ]
    return [StoredOperation(op, n, "ann", "2026-01-01T00:00:00+00:00") for n, op in enumerate(operations, 1)]


def test_actions_are_counted_and_what_was_undone_is_not(make: Make) -> None:
    assert count_actions(session(make)) == {
        ("ann", TOOTH, "click"): ActionCounts(prompts=2, corrections=1),
        ("ann", TOOTH, "choice"): ActionCounts(corrections=1),
        ("ann", TOOTH, "brush"): ActionCounts(strokes=1, corrections=1),
        ("ann", TOOTH, "refine"): ActionCounts(),
        ("ann", CARIES, "lasso"): ActionCounts(strokes=1),
        ("ann", CARIES, "smooth"): ActionCounts(),
    }


def test_a_stroke_on_what_was_imported_is_a_correction(sqlite_store: Store, make: Make) -> None:
    imported = make("create", TOOTH, TOOTH_LABEL | {"source": "import"}, mask=block(0, 0, 5, 5))
    stroke = make("mask", TOOTH, {"tool": "brush"}, mask=block(0, 0, 6, 6))
    a = sqlite_store.cases()[0].id
    sqlite_store.append(a, [imported, stroke], 0, "ann")
    assert count_actions(sqlite_store.operations(a, masks=False)) == {
        ("ann", TOOTH, "brush"): ActionCounts(strokes=1, corrections=1)
    }


def test_the_table_adds_up_in_each_scope(store: Store, make: Make) -> None:
    a = store.cases()[0].id
    store.append(a, [stored.operation for stored in session(make)], 0, "ann")
    store.append(a, [make("mask", TOOTH, {"tool": "brush"}, mask=block(0, 0, 8, 8))], 11, "=bob")
    store.add_time(a, "ann", [Reported(0, 20.0, "click", TOOTH), Reported(20_000, 10.5, "brush", TOOTH)])
    store.add_time(a, "ann", [Reported(40_000, 5.0, "lasso", CARIES), Reported(50_000, 2.0, "view")])
    store.add_time(a, "=bob", [Reported(0, 3.0, "brush", TOOTH)])
    rows = list(csv.DictReader(io.StringIO(timing_csv(store))))
    assert {row["case"] for row in rows} == {"a.png"}
    assert {row["status"] for row in rows} == {"in-progress"}
    for scope in ("case", "tool", "object"):
        mine = [row for row in rows if row["scope"] == scope and row["annotator"] == "ann"]
        assert sum(float(row["seconds"]) for row in mine) == pytest.approx(37.5)
        assert [sum(int(row[key]) for row in mine) for key in ("prompts", "strokes", "corrections")] == [2, 2, 3]
    # No name is a formula to a table program.
    assert {row["annotator"]: row["seconds"] for row in rows if row["scope"] == "case"} == {
        "ann": "37.500",
        "'=bob": "3.000",
    }
    tools = {row["tool"]: row["seconds"] for row in rows if row["scope"] == "tool" and row["annotator"] == "ann"}
    assert tools == {"brush": "10.500", "choice": "0.000", "click": "20.000", "lasso": "5.000", "refine": "0.000",
                     "smooth": "0.000", "view": "2.000"}  # fmt: skip
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
