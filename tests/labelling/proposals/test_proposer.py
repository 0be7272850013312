"""Charts become proposals in the log once, whatever happens to the server."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dentasam.errors import WorkspaceError
from dentasam.labelling.inference.encoding.charted_image import ChartedImage, ChartedObject
from dentasam.labelling.inference.served_model import ModelIdentity, ServedModel
from dentasam.labelling.log.database.workspace_id import open_workspace_database
from dentasam.labelling.log.operations import MODEL_ANNOTATOR
from dentasam.labelling.log.store import Store
from dentasam.labelling.proposals.proposer import ProposalsState, Proposer
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.workspace.label_schema import LabelSchema
from dentasam.labelling.workspace.workspace import Workspace

from ..conftest import MANUAL, Make, block, first_case


def served(name: str = "m") -> ServedModel:
    """As much of a model as the proposer looks at."""
    return cast(ServedModel, SimpleNamespace(chart_key=name, identity=ModelIdentity(name, "0" * 64)))


def chart(*numbers: str) -> ChartedImage:
    found = []
    for place, number in enumerate(numbers):
        mask = BoxMask.from_mask(block(4, 10 * place, 14, 10 * place + 6))
        found.append(ChartedObject(mask, number, (10.0 * place + 2, 8.0), 0.5, 0.75, "window"))
    return ChartedImage(tuple(found), 0.25)


@pytest.fixture
def workspace(radiographs: Path) -> Iterator[Workspace]:
    with Workspace.open(radiographs) as opened:
        yield opened


@pytest.fixture
def labels(workspace: Workspace) -> Iterator[Store]:
    engine = open_workspace_database(workspace)
    store = Store(engine)
    store.sync_cases(workspace.images)
    yield store
    engine.dispose()


@pytest.fixture
def proposer(labels: Store, workspace: Workspace) -> Proposer:
    return Proposer(labels, workspace)


def state_of(proposer: Proposer, store: Store, name: str = "m", picture: str = "p") -> ProposalsState:
    return proposer.state(store.case(first_case(store)), picture, name)


def present(store: Store) -> list[tuple[str | None, bool]]:
    return [(known.category, known.proposed) for known in store.state(first_case(store)).present]


def test_a_new_case_gets_its_proposals_at_once_and_only_once(proposer: Proposer, labels: Store) -> None:
    case = first_case(labels)
    assert state_of(proposer, labels) == "pending"
    proposer.take(case, "p", served(), chart("36", "37"))
    assert present(labels) == [("36", True), ("37", True)]
    assert state_of(proposer, labels) == "there"
    assert labels.case(case).status == "new"
    assert (labels.case(case).objects, labels.case(case).proposed) == (0, 2)
    assert {stored.annotator for stored in labels.operations(case)} == {MODEL_ANNOTATOR}
    proposer.take(case, "p", served(), chart("36", "37"))
    proposer.open(case)
    proposer.take(case, "p", served(), chart("36", "37"))
    assert labels.case(case).revision == 2


def test_a_restarted_server_adds_nothing(proposer: Proposer, labels: Store, workspace: Workspace) -> None:
    case = first_case(labels)
    proposer.take(case, "p", served(), chart("36", "37"))
    log = labels.operations(case)
    again = Proposer(labels, workspace)
    again.open(case)
    again.take(case, "p", served(), chart("36", "37"))
    assert labels.operations(case) == log
    assert state_of(again, labels) == "there"


def test_what_is_cut_off_within_the_transaction_is_made_whole_by_the_next_start(
    proposer: Proposer, labels: Store, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = first_case(labels)

    def killed(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("dentasam.labelling.log.append._write_objects", killed)
        with pytest.raises(KeyboardInterrupt):
            proposer.take(case, "p", served(), chart("36"))
    assert labels.case(case).revision == 0
    Proposer(labels, workspace).take(case, "p", served(), chart("36"))
    assert present(labels) == [("36", True)]


def test_a_case_with_work_of_people_gets_proposals_when_it_is_opened(
    proposer: Proposer, labels: Store, make: Make
) -> None:
    case = first_case(labels)
    tooth = "0c0f3e0e-4a39-4d31-8c0b-9b3f3f6f2a50"
    labels.append(case, [make("create", tooth, MANUAL | {"category": "36"})], 0, "anna")
    proposer.take(case, "p", served(), chart("36", "37"))
    assert present(labels) == [("36", False)]
    assert not proposer.waits(case)
    proposer.open(case)
    assert proposer.waits(case)
    assert proposer.waited_for == [case]
    proposer.take(case, "p", served(), chart("36", "37"))
    assert present(labels) == [("36", False), ("37", True)]
    assert not proposer.waits(case)
    # They come once: a person who deletes an object gets no new proposal in its place.
    labels.append(case, [make("delete", tooth, {"deleted": True})], 2, "anna")
    proposer.open(case)
    proposer.take(case, "p", served(), chart("36", "37"))
    assert present(labels) == [("37", True)]


@pytest.mark.parametrize("status", ["done", "approved", "needs-review"])
def test_a_closed_case_gets_none(proposer: Proposer, labels: Store, make: Make, status: str) -> None:
    case = first_case(labels)
    labels.append(case, [make("status", None, {"status": status})], 0, "anna")
    proposer.open(case)
    proposer.take(case, "p", served(), chart("36"))
    assert present(labels) == []
    assert state_of(proposer, labels) == "none"
    # Opened again after somebody reopened it, it does.
    labels.append(case, [make("status", None, {"status": "in-progress"})], 1, "anna")
    proposer.open(case)
    assert proposer.waits(case)
    proposer.take(case, "p", served(), chart("36"))
    assert present(labels) == [("36", True)]


def test_another_model_or_picture_replaces_untouched_proposals(proposer: Proposer, labels: Store, make: Make) -> None:
    case = first_case(labels)
    proposer.take(case, "p", served(), chart("36", "37"))
    kept = labels.state(case).present[0]
    labels.append(case, [make("accept", kept.id, {"accepted": True})], 2, "anna")
    proposer.open(case)
    proposer.take(case, "p", served("other"), chart("46", "38", "35"))
    assert present(labels) == [("36", False), ("38", True), ("35", True)]
    assert labels.state(case).objects[kept.id].mask == kept.mask
    assert state_of(proposer, labels, "other") == "there"
    proposer.take(case, "q", served("other"), chart("46", "38"))
    assert present(labels) == [("36", False), ("38", True)]


def test_a_chart_that_failed_leaves_the_case_without_proposals(proposer: Proposer, labels: Store) -> None:
    case = first_case(labels)
    proposer.open(case)
    proposer.fail(case, "p", served())
    assert state_of(proposer, labels) == "none"
    assert proposer.waited_for == []
    proposer.open(case)
    assert not proposer.waits(case)
    assert state_of(proposer, labels, picture="q") == "pending"


def test_only_the_workspaces_labels_are_proposed(proposer: Proposer, labels: Store, workspace: Workspace) -> None:
    full = LabelSchema.default()
    some = tuple(label for label in full.labels if label.name in ("36", "caries"))
    workspace.set_schema(LabelSchema(labels=some))
    proposer.take(first_case(labels), "p", served(), chart("36", "37", "implant"))
    assert present(labels) == [("36", True)]
    workspace.set_schema(LabelSchema(labels=some[1:] or full.labels[-1:]))
    assert not proposer.on
    assert state_of(proposer, labels) == "off"


def test_the_switch_is_kept_in_the_workspace(
    proposer: Proposer, labels: Store, workspace: Workspace, radiographs: Path
) -> None:
    assert proposer.switch is True
    proposer.turn(False)
    assert not proposer.on
    assert state_of(proposer, labels) == "off"
    workspace.close()
    with Workspace.open(radiographs) as again:
        later = Proposer(labels, again)
        assert later.switch is False
        later.turn(True)
        assert later.on
        refused = Proposer(labels, again, allowed=False)
        assert refused.switch is None
        with pytest.raises(WorkspaceError, match="no-proposals"):
            refused.turn(True)


def test_settings_that_are_not_understood_are_named(radiographs: Path) -> None:
    with Workspace.open(radiographs) as opened:
        path = opened.root / "settings.yaml"
    for text in ("proposals: maybe", "proposals: [", "other: 1"):
        path.write_text(text)
        with pytest.raises(WorkspaceError, match=r"settings\.yaml") as caught:
            Workspace.open(radiographs)
        assert "\n" not in str(caught.value)
