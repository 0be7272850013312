"""What the correction log and the exports say of proposals."""

import json
from pathlib import Path

import numpy as np
import pytest

from dentasam.data.dataset import Dataset
from dentasam.labelling.exchange.correction_log import log_lines
from dentasam.labelling.exchange.exports import coco_document, labelled_dataset
from dentasam.labelling.exchange.offline import write_export
from dentasam.labelling.exchange.proposal_outcomes import ProposalCounts
from dentasam.labelling.exchange.time_table import timing_csv
from dentasam.labelling.log.database.opening import open_database
from dentasam.labelling.log.operations import Operation
from dentasam.labelling.log.store import Store
from dentasam.labelling.workspace.workspace import Workspace

from ..conftest import MANUAL, Make, block, first_case
from .conftest import MODEL, PROMPTS

KINDS = ("accepted", "renumbered", "redrawn", "deleted", "untouched", "withdrawn")
IDS = {kind: f"00000000-0000-0000-0000-0000000000a{place}" for place, kind in enumerate(KINDS)}
BEFORE, NEW, PART = "00000000-0000-0000-0000-0000000000b1", *(f"00000000-0000-0000-0000-0000000000c{n}" for n in "12")


@pytest.fixture
def proposed(radiographs: Path, make: Make) -> tuple[Store, Path]:
    """a.png with a proposal of each kind, a tooth drawn before them, one drawn after them, and a filling."""
    with Workspace.open(radiographs) as workspace:
        store = Store(open_database(workspace.database_url))
        store.sync_cases(workspace.images)
    case = first_case(store)

    def proposal(place: int, id: str) -> Operation:
        data = {"category": f"1{place + 1}", "source": "proposal", "prompts": PROMPTS, "confidence": 0.5}
        mask = block(0, 8 * place, 10, 8 * place + 6)
        return make("create", id, data | {"model": MODEL | {"score": 0.75}}, mask=mask)

    store.append(case, [make("create", BEFORE, MANUAL | {"category": "38"}, mask=block(20, 0, 30, 6))], 0, "ann")
    store.propose(case, "chart", lambda state: [proposal(place, id) for place, id in enumerate(IDS.values())])
    own = [
        make("accept", IDS["accepted"], {"accepted": True}),
        make("relabel", IDS["renumbered"], {"category": "21"}),
        # 5 of its 6 columns stay.
        make("mask", IDS["redrawn"], {"tool": "eraser"}, mask=block(0, 16, 10, 21)),
        make("delete", IDS["deleted"], {"deleted": True}),
        make("create", NEW, MANUAL | {"category": "48"}, mask=block(20, 10, 30, 16)),
        make("create", PART, MANUAL | {"category": "filling"}, mask=block(20, 20, 22, 22)),
        make("missing", None, {"number": "28", "missing": True}),
        make("missing", None, {"number": "18", "missing": True}),
    ]
    store.append(case, own, 7, "ann")
    withdrawal = make("delete", IDS["withdrawn"], {"deleted": True, "withdrawn": True})
    store.propose(case, "later chart", lambda state: [withdrawal])
    return store, radiographs


def test_the_correction_log_says_what_became_of_each_proposal(proposed: tuple[Store, Path]) -> None:
    store, folder = proposed
    counts = ProposalCounts()
    with Workspace.open(folder) as workspace:
        entries = {entry["object"]: entry for entry in map(json.loads, log_lines(store, workspace, None, counts))}
    found = {kind: entries[id]["proposal"] for kind, id in IDS.items()}
    assert {kind: each["outcome"] for kind, each in found.items()} == {
        "accepted": "kept",
        "renumbered": "kept",
        "redrawn": "kept",
        "deleted": "deleted",
        "untouched": "untouched",
        "withdrawn": "withdrawn",
    }
    assert [kind for kind, each in found.items() if each["renumbered"]] == ["renumbered"]
    assert [kind for kind, each in found.items() if each["mask_changed"]] == ["redrawn"]
    assert found["renumbered"]["number"] == "12"
    assert found["redrawn"]["iou"] == pytest.approx(5 / 6)
    assert found["redrawn"]["dice"] == pytest.approx(10 / 11)
    assert found["accepted"]["iou"] == found["accepted"]["dice"] == 1
    assert entries[IDS["redrawn"]]["prediction"]["prompts"] == PROMPTS
    assert entries[IDS["redrawn"]]["model"] == MODEL | {"name": "base.pth", "score": 0.75}
    assert [id for id, entry in entries.items() if entry["missed"]] == [NEW]
    assert entries[BEFORE]["proposal"] is None
    assert counts.document() == {
        "proposed": 5,
        "unchanged": 1,
        "renumbered": 1,
        "mask_changed": 1,
        "deleted": 1,
        "untouched": 1,
        "missed": 1,
    }


def test_the_exporter_adds_a_line_on_proposals(proposed: tuple[Store, Path], tmp_path: Path) -> None:
    _, folder = proposed
    first, second = write_export(folder, "log", tmp_path / "log.ndjson").splitlines()
    assert first.startswith("6 objects in 1 images")
    assert second == (
        "5 proposals: 1 accepted unchanged, 1 renumbered, 1 with another mask, 1 deleted, 1 untouched; 1 teeth missed"
    )
    assert "\n" not in write_export(folder, "coco", folder / "labels.json")


def test_untouched_proposals_are_nobodys_labels(proposed: tuple[Store, Path]) -> None:
    store, folder = proposed
    with Workspace.open(folder) as workspace:
        dataset = labelled_dataset(store, workspace)
        document = coco_document(store, workspace)
    objects = {record.extra["object"] for image in dataset.images for record in image.objects}
    assert objects == {BEFORE, NEW, PART, IDS["accepted"], IDS["renumbered"], IDS["redrawn"]}
    images = {image["file_name"]: image for image in document["images"]}
    assert images["a.png"]["missing"] == ["18", "28"]
    assert "missing" not in images["deep/b.png"]


def test_a_file_with_missing_teeth_is_read_as_any_other(proposed: tuple[Store, Path]) -> None:
    _, folder = proposed
    write_export(folder, "coco", folder / "labels.json")
    assert Dataset.load(folder / "labels.json").images[0].masks().shape[0] == 6


def test_the_model_is_nobody_in_the_time_table(proposed: tuple[Store, Path]) -> None:
    store, _ = proposed
    rows = [line.split(",") for line in timing_csv(store).splitlines()]
    annotators = {row[3] for row in rows[1:]}
    assert annotators == {"ann"}
    scores = {row[-1] for row in rows[1:] if row[0] == "case"}
    # Of the three that people kept.
    assert scores == {"0.750"}
    assert np.sum([row[0] == "case" for row in rows]) == 1
