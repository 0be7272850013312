import json
import tracemalloc
import unicodedata
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from dentasam.data.formats.tooth_names import NumberingUnknown
from dentasam.data.teeth.numbering import Numbering
from dentasam.errors import DatasetError
from dentasam.labelling.exchange import pre_annotations
from dentasam.labelling.exchange.exports import coco_document
from dentasam.labelling.exchange.import_report import MAX_NAMED, ImportReport, SkippedItem, SkippedItems
from dentasam.labelling.exchange.imports import import_coco
from dentasam.labelling.exchange.source_objects import SourceObjects
from dentasam.labelling.log.database.opening import open_database
from dentasam.labelling.log.store import Store
from dentasam.labelling.proposals.new_proposals import Proposal, proposal_operations
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.workspace.workspace import Workspace

from ..conftest import Make, block, case_image

TOOTH, FILLING = block(5, 5, 30, 20), block(5, 10, 12, 26)


def compressed(mask: np.ndarray) -> dict[str, Any]:
    coded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(mask.shape), "counts": coded["counts"].decode("ascii")}


def annotation(id: int, segmentation: Any, category: int = 36, image: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": id, "image_id": image, "category_id": category, "segmentation": segmentation} | more


def document(*annotations: dict[str, Any]) -> dict[str, Any]:
    return {
        "images": [
            {"id": 1, "file_name": "a.png", "width": 60, "height": 40},
            {"id": 2, "file_name": "b.png", "width": 60, "height": 40},
        ],
        "annotations": list(annotations),
        "categories": [{"id": 36, "name": "36"}, {"id": 99, "name": "restoration"}],
    }


SQUARE = [[10.0, 10.0, 30.0, 10.0, 30.0, 25.0, 10.0, 25.0]]
SOUND = (
    annotation(7, compressed(FILLING), 99, parent=8),
    annotation(8, compressed(TOOTH)),
    annotation(9, SQUARE, image=2),
)


@pytest.fixture
def workspace(radiographs: Path) -> Iterator[Workspace]:
    path = radiographs / "train.json"
    content = document(*SOUND)
    content["images"][1]["file_name"] = "deep\\b.png"
    path.write_text(json.dumps(content))
    with Workspace.open(path) as workspace:
        yield workspace


def test_objects_become_pre_annotations(store: Store) -> None:
    assert import_coco(store, document(*SOUND), "ann") == ImportReport(objects=3, cases=2)
    a, b = store.cases()
    assert (a.status, a.objects, a.revision, b.objects) == ("new", 2, 2, 1)
    state = {known.category: known for known in store.state(a.id).present}
    assert np.array_equal(state["36"].mask.on_image(40, 60), TOOTH)
    assert np.array_equal(state["restoration"].mask.on_image(40, 60), FILLING)
    assert state["restoration"].parent == state["36"].id
    assert {(known.source, known.annotator, known.accepted) for known in state.values()} == {("import", "ann", False)}
    (square,) = store.state(b.id).present
    oracle = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(SQUARE, 40, 60))).astype(bool)
    assert np.array_equal(square.mask.on_image(40, 60), oracle)


def test_the_same_file_twice_changes_nothing_and_brings_nothing_back(store: Store, make: Make) -> None:
    import_coco(store, document(*SOUND))
    a = store.cases()[0].id
    thrown_away = next(iter(store.state(a).objects))
    store.append(a, [make("delete", thrown_away, {"deleted": True})], 2, "ann")
    assert import_coco(store, document(*SOUND)) == ImportReport(0, 0)
    assert store.state(a).objects[thrown_away].deleted
    # A new annotation of the same file comes, also into a case that has been worked on.
    assert import_coco(store, document(*SOUND, annotation(10, SQUARE))) == ImportReport(1, 1)
    assert store.case(a).revision == 4


def test_masks_up_to_the_border_are_whole(store: Store) -> None:
    everything = np.ones((40, 60), bool)
    column, last = block(0, 59, 40, 60), block(39, 59, 40, 60)
    masks = [everything, column, last, block(0, 0, 1, 1), everything & ~block(10, 10, 20, 20)]
    import_coco(store, document(*(annotation(n, compressed(mask)) for n, mask in enumerate(masks, 1))))
    found = [known.mask for known in store.state(store.cases()[0].id).present]
    assert found == [BoxMask.from_mask(mask) for mask in masks]


def test_links_to_nothing_and_in_circles_are_dropped(store: Store) -> None:
    circle = [annotation(1, compressed(TOOTH), parent=2), annotation(2, compressed(FILLING), 99, parent=1)]
    import_coco(store, document(*circle, annotation(3, SQUARE, parent=77), annotation(4, SQUARE, parent=4)))
    present = store.state(store.cases()[0].id).present
    assert len(present) == 4
    assert {known.parent for known in present} == {None}


def test_an_image_is_found_by_its_file_name_where_that_is_clear(workspace: Workspace, sqlite_store: Store) -> None:
    sqlite_store.sync_cases(workspace.images)
    given = document(annotation(1, SQUARE, image=2), annotation(2, SQUARE, image=1))
    given["images"][1]["file_name"] = "somewhere/else/b.png"
    given["images"][0]["file_name"] = "not here.png"
    assert import_coco(sqlite_store, given) == ImportReport(
        1, 1, SkippedItems(1, 1, 1, [SkippedItem("not here.png", None, "it is not in the worklist")])
    )
    assert {case.name: case.objects for case in sqlite_store.cases()} == {"a.png": 0, "deep/b.png": 1}


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda given: given.pop("categories"), "lacks a list"),
        (lambda given: given["images"].append(3), r"images\[2\]"),
        (
            lambda given: given["images"].append(given["images"][0]),
            r"images\[2\] has the id 1 of another image",
        ),
        (lambda given: given["images"][0].update(width=61), "is 60x40 pixels here, the document says 61x40"),
        (lambda given: given["categories"].append({"id": 1}), r"categories\[2\]"),
        (lambda given: given["annotations"].append("x"), r"annotations\[3\]"),
        (lambda given: given["annotations"].append(annotation(7, SQUARE)), r"annotations\[3\]"),
        (lambda given: given["annotations"].append(annotation(1, SQUARE, image=5)), "image_id"),
        (lambda given: given["annotations"].append(annotation(1, SQUARE, category=5)), "category_id"),
        (lambda given: given["annotations"].append(annotation(1, {"size": [40, 60], "counts": "x"})), "annotation 1"),
        (lambda given: given["annotations"].append(annotation(1, None)), "annotation 1"),
        (lambda given: given["annotations"].append(annotation(1, compressed(np.zeros((40, 60), bool)))), "empty"),
    ],
)
def test_a_faulty_document_is_refused_as_a_whole(sqlite_store: Store, spoil: Any, named: str) -> None:
    given = document(*SOUND)
    spoil(given)
    with pytest.raises(DatasetError, match=named) as caught:
        import_coco(sqlite_store, given)
    assert "\n" not in str(caught.value)
    assert [case.revision for case in sqlite_store.cases()] == [0, 0]


def test_what_is_no_object_is_passed_over_and_named(store: Store) -> None:
    shapes = {
        1: [],
        2: [[1, 1, 9, 9]],
        3: [SQUARE[0], [1.0, 1.0, 9.0, 9.0]],
        5: SQUARE[0],
    }
    given = document(
        *(annotation(id, shape) for id, shape in shapes.items()),
        annotation(4, compressed(FILLING), iscrowd=1),
        annotation(6, compressed(TOOTH), image=3),
        annotation(7, "not even read", image=3),
        annotation(8, SQUARE, category=36),
    )
    del given["annotations"][0]["segmentation"]
    given["images"].append({"id": 3, "file_name": "far/c.png", "width": 7, "height": 7})
    given["categories"] = [{"id": 1, "name": "36"}, {"id": 36, "name": 36, "supercategory": "36"}]
    found = import_coco(store, given)
    assert (found.objects, found.cases) == (3, 1)
    passed = found.skipped
    assert (passed.images, passed.objects) == (1, 5)
    assert [(entry.image, entry.annotation) for entry in passed.entries] == [
        ("far/c.png", None), ("a.png", 1), ("a.png", 2), ("a.png", 3), ("a.png", 4),
    ]  # fmt: skip
    reasons = [entry.reason for entry in passed.entries]
    for reason, words in zip(reasons, ("not in the worklist", "no mask", "three", "ring", "iscrowd"), strict=True):
        assert words in reason
    masks = [known.mask.on_image(40, 60) for known in store.state(store.cases()[0].id).present]
    oracle = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(SQUARE, 40, 60))).astype(bool)
    assert all(np.array_equal(mask, oracle) for mask in masks)
    assert {known.category for known in store.state(store.cases()[0].id).present} == {"36"}


def test_what_is_named_is_bounded_and_counted_in_full(sqlite_store: Store) -> None:
    boxes = [annotation(id, []) for id in range(1, MAX_NAMED + 50)]
    passed = import_coco(sqlite_store, document(*boxes, annotation(1000, SQUARE))).skipped
    assert (passed.objects, len(passed.entries)) == (MAX_NAMED + 49, MAX_NAMED)


def test_a_document_without_masks_is_refused(sqlite_store: Store) -> None:
    with pytest.raises(DatasetError, match="no annotation has a mask; export masks"):
        import_coco(sqlite_store, document(annotation(1, []), annotation(2, [], image=2)))
    # Crowds alone bring nothing in, and are named.
    crowds = import_coco(sqlite_store, document(annotation(1, compressed(TOOTH), iscrowd=1)))
    assert (crowds.objects, crowds.skipped.objects) == (0, 1)


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_accented_names_are_matched_in_either_form(
    tmp_path: Path, forms: tuple[Literal["NFC", "NFD"], Literal["NFC", "NFD"]]
) -> None:
    stored, written = (unicodedata.normalize(form, "Zähne.png") for form in forms)
    (tmp_path / "deep").mkdir()
    Image.fromarray(np.zeros((40, 60), np.uint8)).save(tmp_path / "deep" / stored)
    given = document(annotation(1, SQUARE))
    with Workspace.open(tmp_path) as workspace:
        store = Store(open_database(workspace.database_url))
        store.sync_cases(workspace.images)
        for name, expected in ((f"deep/{written}", 1), (written, 0), (f"else\\{written}", 0)):
            given["images"][0]["file_name"] = name
            found = import_coco(store, given)
            # The same object comes in once, and is found again under each name.
            assert (found.objects, found.skipped.images) == (expected, 1)


def test_teeth_become_fdi_numbers(store: Store) -> None:
    given = document(annotation(1, SQUARE), annotation(2, SQUARE, category=99))
    given["categories"] = [{"id": 36, "name": "19"}, {"id": 99, "name": "11"}, {"id": 7, "name": "never used"}]

    def labels(case: int) -> set[str | None]:
        return {known.category for known in store.state(store.cases()[case].id).present}

    import_coco(store, given, numbering=Numbering.universal)
    assert labels(0) == {"36", "23"}
    given["info"] = {"numbering": "universal"}
    for item in given["annotations"]:
        item["image_id"] = 2
    assert import_coco(store, given).notes == ()
    assert labels(1) == {"36", "23"}


def test_a_document_clearly_not_in_fdi_is_asked_about(sqlite_store: Store) -> None:
    given = document(*(annotation(k, SQUARE, category=k) for k in range(1, 33)))
    given["categories"] = [{"id": k, "name": str(k)} for k in range(1, 33)]
    with pytest.raises(NumberingUnknown, match="set.json: its teeth do not look like FDI numbers"):
        import_coco(sqlite_store, given, name="set.json")
    assert [case.revision for case in sqlite_store.cases()] == [0, 0]
    assert import_coco(sqlite_store, given, numbering=Numbering.fdi).objects == 32


@pytest.mark.parametrize("given", [None, [], "text", 3, {"images": {}, "annotations": [], "categories": []}])
def test_what_is_no_coco_is_refused(sqlite_store: Store, given: Any) -> None:
    with pytest.raises(DatasetError, match="COCO instances"):
        import_coco(sqlite_store, given)


def test_a_coco_source_is_imported_at_first_opening_only(workspace: Workspace, make: Make) -> None:
    engine = open_database(workspace.database_url)
    store = Store(engine)
    store.sync_cases(workspace.images)
    pending = SourceObjects(store, workspace)
    assert len(pending) == 2
    pending.bring_all()
    assert [len(pending), len(SourceObjects(store, workspace))] == [0, 0]
    a, b = store.cases()
    assert [(case.name, case.status, case.objects) for case in (a, b)] == [
        ("a.png", "new", 2),
        ("deep/b.png", "new", 1),
    ]
    assert {known.category for known in store.state(a.id).present} == {"36", "restoration"}
    engine.dispose()


def test_what_is_exported_comes_in_again_as_it_was(radiographs: Path, make: Make, tmp_path: Path) -> None:
    with Workspace.open(radiographs) as workspace:
        engine = open_database(workspace.database_url)
        store = Store(engine)
        store.sync_cases(workspace.images)
        a = store.cases()[0].id
        tooth, filling = str(uuid.uuid4()), str(uuid.uuid4())
        store.append(
            a,
            [
                make("create", tooth, {"category": "36", "parent": None, "source": "manual"}, mask=TOOTH),
                make("create", filling, {"category": None, "parent": tooth, "source": "manual"}, mask=FILLING),
            ],
            0,
            "ann",
        )
        exported = json.loads(json.dumps(coco_document(store, workspace)))
        other = Store(open_database(f"sqlite:///{tmp_path / 'other.sqlite3'}"))
        other.sync_cases(workspace.images)
        assert import_coco(other, exported) == ImportReport(2, 1)
        state = other.state(other.cases()[0].id)
        found = {known.category: known for known in state.present}
        assert found.keys() == {"36", None}
        assert np.array_equal(found["36"].mask.on_image(40, 60), TOOTH)
        assert np.array_equal(found[None].mask.on_image(40, 60), FILLING)
        assert found[None].parent == found["36"].id
        engine.dispose()
        other.engine.dispose()


def test_the_same_objects_of_another_file_are_not_new(store: Store) -> None:
    assert import_coco(store, document(annotation(8, compressed(TOOTH)))).objects in (0, 1)
    again = document(annotation(31, compressed(TOOTH)), annotation(32, compressed(FILLING)))
    assert import_coco(store, again).objects == 1
    assert import_coco(store, document(annotation(77, compressed(FILLING)))).objects == 0


def test_a_new_object_in_a_tooth_of_an_earlier_file_has_it_as_its_parent(store: Store) -> None:
    import_coco(store, document(annotation(8, compressed(TOOTH))))
    inside = annotation(51, compressed(block(20, 8, 26, 12)), 99, parent=50)
    import_coco(store, document(annotation(50, compressed(TOOTH)), inside))
    (case, *_) = store.cases()
    present = store.state(case.id).present
    (tooth,) = (known.id for known in present if known.category == "36")
    assert [known.parent for known in present if known.area == 24] == [tooth]


def test_proposals_of_what_is_imported_are_withdrawn(store: Store) -> None:
    (case, *_) = store.cases()
    model = {"name": "m", "sha256": "0" * 64, "adapter": None, "adapter_sha256": None}

    def proposal(category: str, mask: np.ndarray) -> Proposal:
        return Proposal(category, BoxMask.from_mask(mask), (1.0, 1.0), 0.9, model)

    untouched = block(33, 40, 38, 50)
    found = [proposal("36", block(20, 30, 30, 40)), proposal("21", TOOTH), proposal("22", untouched)]
    store.propose(case.id, "chart", lambda state: proposal_operations(case.id, "chart", state, found))
    import_coco(store, document(annotation(41, compressed(block(6, 5, 30, 20)))))
    present = {known.category: known.source for known in store.state(case.id).present if known.area}
    # The number 36 is labelled now, and so is the tooth that was proposed as 21.
    assert present["36"] == "import"
    assert "21" not in present
    assert present["22"] == "proposal"


def test_an_import_is_stored_in_batches_and_its_links_stay(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    original = Store.import_objects

    def counted(self: Store, created: Any, annotator: str) -> int:
        sizes.append(sum(map(len, created.values())))
        return original(self, created, annotator)

    monkeypatch.setattr(pre_annotations, "BATCH", 2)
    monkeypatch.setattr(Store, "import_objects", counted)
    chain = [annotation(n, compressed(block(n, n, 30, 30)), parent=n + 1) for n in range(1, 6)]
    assert import_coco(store, document(*chain)) == ImportReport(5, 1)
    assert sizes == [2, 2, 1]
    present = sorted(store.state(store.cases()[0].id).present, key=lambda known: -known.area)
    ids = [known.id for known in present]
    assert [known.parent for known in present] == [*ids[1:], None]


def test_an_import_that_was_interrupted_is_completed_by_the_same_file(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = document(*(annotation(n, compressed(block(n, n, 30, 30)), parent=n + 1) for n in range(1, 6)))
    original = Store.import_objects
    calls: list[int] = []

    def interrupted(self: Store, created: Any, annotator: str) -> int:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(self, created, annotator)

    monkeypatch.setattr(pre_annotations, "BATCH", 2)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "import_objects", interrupted)
        with pytest.raises(KeyboardInterrupt):
            import_coco(store, content)
    case = store.cases()[0].id
    assert len(store.state(case).present) == 2
    assert import_coco(store, content) == ImportReport(3, 1)
    assert len(store.state(case).present) == 5
    assert sum(known.parent is not None for known in store.state(case).present) == 4
    assert import_coco(store, content) == ImportReport(0, 0)


def test_masks_of_a_whole_file_are_not_in_memory_together(sqlite_store: Store) -> None:
    sqlite_store.sync_cases([case_image("large.png", 1000, 1000)])
    large = document(*(annotation(n, [[0, 0, 1000, n, n, 1000]]) for n in range(1, 61)))
    large["images"] = [{"id": 1, "file_name": "large.png", "width": 1000, "height": 1000}]
    tracemalloc.start()
    try:
        assert import_coco(sqlite_store, large).objects == 60
        (case,) = sqlite_store.cases()
        assert len(sqlite_store.state(case.id).present) == 60
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Each mask has a box of a million pixels.
    assert peak < 20 * 1000 * 1000


def test_parents_of_parents_are_put_in_order_in_one_pass() -> None:
    def never() -> np.ndarray:
        raise AssertionError

    objects = [pre_annotations.ImportedObject(n, "36", never, n + 1) for n in range(20_000)]
    assert [item.annotation for item in pre_annotations.parents_first(objects)] == list(range(19_999, -1, -1))
