import uuid

from dentasam.labelling.log.store import Store

from ..conftest import MANUAL, Make, block, case_image, first_case


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
