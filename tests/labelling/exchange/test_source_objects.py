"""The objects of a COCO file come into its workspace at a case's first use, or one after the other."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event

import pytest

from dentasam.labelling.exchange import source_objects
from dentasam.labelling.exchange.exports import coco_document
from dentasam.labelling.exchange.offline import OpenedWorkspace, open_early, open_workspace
from dentasam.labelling.exchange.time_table import timing_csv
from dentasam.labelling.log.append import Appended
from dentasam.labelling.log.operations import Operation
from dentasam.labelling.log.store import Store

from ...data.coco_files import content, write
from ..conftest import MANUAL, Make, block


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Three objects on a.png, one on deep/b.png."""
    coco = content()
    coco["annotations"].append(coco["annotations"][0] | {"id": 9, "image_id": 2})
    return write(tmp_path, coco)


def counts(store: Store) -> list[int]:
    return [case.objects for case in store.cases()]


def test_a_case_gets_its_objects_at_its_first_use(source: Path) -> None:
    with open_early(source) as opened:
        store = opened.store
        a, b = (case.id for case in store.cases())
        assert (counts(store), len(opened.pending)) == ([0, 0], 2)
        assert {known.category for known in store.state(a).present} == {"36", "restoration", "11"}
        assert (counts(store), len(opened.pending)) == ([3, 0], 1)
        assert store.case(b).revision == 1
        assert (counts(store), len(opened.pending)) == ([3, 1], 0)
    with open_early(source) as again:
        assert (counts(again.store), len(again.pending)) == ([3, 1], 0)


def test_what_a_page_sends_first_meets_the_objects(source: Path, make: Make) -> None:
    with open_early(source) as opened:
        (a, _) = opened.store.cases()
        drawn = make("create", "00000000-0000-0000-0000-000000000001", MANUAL, mask=block(5, 5, 30, 20))
        # The revision says that there is more than the page knows of.
        assert opened.store.append(a.id, [drawn], 0, "ann") == Appended(4, 1)
        assert [s.operation.object for s in opened.store.operations(a.id)][-1] == drawn.object


@pytest.mark.parametrize(
    "export",
    [lambda opened: coco_document(opened.store, opened.workspace), lambda opened: timing_csv(opened.store)],
)
def test_exports_wait_for_all(source: Path, export: Callable[[OpenedWorkspace], object]) -> None:
    with open_early(source) as opened:
        export(opened)
        assert (counts(opened.store), len(opened.pending)) == ([3, 1], 0)


def test_the_thread_imports_all_and_reports(source: Path) -> None:
    with open_early(source) as opened:
        done = Event()
        opened.pending.start(done.set)
        assert done.wait(20)
        opened.pending.stop()
        assert counts(opened.store) == [3, 1]


@pytest.mark.parametrize(("most", "transactions"), [(500, [[1, 2]]), (3, [[1], [2]]), (1, [[1], [2]])])
def test_a_transaction_takes_few_objects_but_those_of_a_case_together(
    source: Path, monkeypatch: pytest.MonkeyPatch, most: int, transactions: list[list[int]]
) -> None:
    monkeypatch.setattr(source_objects, "BATCH_OBJECTS", most)
    stored: list[list[int]] = []

    def counted(store: Store, created: Mapping[int, Sequence[Operation]], annotator: str) -> int:
        stored.append(sorted(created))
        return import_objects(store, created, annotator)

    import_objects = Store.import_objects
    monkeypatch.setattr(Store, "import_objects", counted)
    with open_early(source) as opened:
        opened.pending.bring_all()
        assert (stored, counts(opened.store)) == (transactions, [3, 1])


def test_what_was_not_imported_before_the_end_is_at_the_next_start(source: Path) -> None:
    with open_early(source) as opened:
        opened.pending.stop()
        opened.pending.start(lambda: None)
        opened.pending.stop()
        assert counts(opened.store) == [0, 0]
    with open_workspace(source) as (_, store, _):
        assert counts(store) == [3, 1]
