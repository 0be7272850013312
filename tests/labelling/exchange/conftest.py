"""A workspace with labels to export: an image that is done, one in progress, a DICOM file that is approved."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from dentasam.labelling.log.database.opening import open_database
from dentasam.labelling.log.store import Store
from dentasam.labelling.workspace.workspace import Workspace

from ..conftest import MANUAL, Make, block
from ..workspace.test_workspace import write_dicom

TOOTH, FILLING, GONE, HOLLOW = (str(uuid.UUID(int=n)) for n in range(1, 5))
TOOTH_MASK, FILLING_MASK = block(5, 5, 30, 20), block(5, 10, 12, 26)
MODEL = {
    "name": "/home/ann/secret/base.pth",
    "sha256": "ab",
    "adapter": "panoramic-teeth",
    "adapter_sha256": "cd",
    "answered_by": "window",
}
PROMPTS = {"clicks": [[8.0, 9.0, 1]], "box": None}


@pytest.fixture
def labelled_workspace(radiographs: Path) -> Iterator[Workspace]:
    write_dicom(radiographs / "scan.dcm")
    with Workspace.open(radiographs) as workspace:
        yield workspace


@pytest.fixture
def labelled_store(labelled_workspace: Workspace, make: Make) -> Iterator[Store]:
    """a.png done: a tooth and an overlapping filling, a deleted object and an empty one. deep/b.png in progress."""
    engine = open_database(labelled_workspace.database_url)
    store = Store(engine)
    store.sync_cases(labelled_workspace.images)
    proposal = {"tool": "click", "prompts": PROMPTS, "model": MODEL | {"score": 0.75}}
    erased = make("mask", TOOTH, {"tool": "eraser"}, mask=block(0, 0, 2, 2))
    stroke = {"shape": "round", "size": 8.0, "points": [[5.0, 5.0], [9.0, 9.0]]}
    operations = [
        make("create", TOOTH, MANUAL | {"category": "36"}),
        make("mask", TOOTH, proposal, mask=block(5, 5, 20, 20)),
        make("create", FILLING, MANUAL | {"category": "restoration", "parent": TOOTH}, mask=FILLING_MASK),
        make("mask", TOOTH, {"tool": "brush", "stroke": stroke}, mask=TOOTH_MASK, painted=block(20, 5, 30, 20)),
        erased,
        make("mask", TOOTH, {"tool": "eraser"}, mask=TOOTH_MASK, undoes=erased.id),
        make("create", GONE, MANUAL | {"category": "37"}, mask=TOOTH_MASK),
        make("delete", GONE, {"deleted": True}),
        make("create", HOLLOW, MANUAL),
        make("accept", TOOTH, {"accepted": True}),
        make("status", None, {"status": "done"}),
    ]
    ids = {case.name: case.id for case in store.cases()}
    store.append(ids["a.png"], operations, 0, "ann")
    other = [
        make("create", str(uuid.uuid4()), MANUAL | {"category": "old label"}, mask=FILLING_MASK) for _ in range(2)
    ]
    store.append(ids["deep/b.png"], other, 0, "bob")
    scanned = make("create", str(uuid.uuid4()), MANUAL | {"category": "11"}, mask=block(0, 0, 5, 5, 30, 44))
    store.append(ids["scan.dcm"], [scanned, make("status", None, {"status": "approved"})], 0, "bob")
    yield store
    engine.dispose()
