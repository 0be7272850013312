"""The server's application for tests: a real store, a few small images, and a stand-in for the model."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import numpy as np
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from dentasam.errors import ImageError, PromptError
from dentasam.labelling.auth.access import Access
from dentasam.labelling.inference.encoding.encode_queue import Progress
from dentasam.labelling.inference.replies import (
    Choice,
    PredictedObject,
    PredictReply,
    RefinedObject,
    RefineReply,
    Seconds,
)
from dentasam.labelling.inference.requests import PredictObject, PrefersPart, RefineObject, TidySizes
from dentasam.labelling.inference.served_model import ModelIdentity
from dentasam.labelling.log.database.workspace_id import open_workspace_database
from dentasam.labelling.log.store import Store
from dentasam.labelling.log.worklist import Worklist
from dentasam.labelling.proposals.proposer import Proposer
from dentasam.labelling.server.app import create_app
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.wire.envelope import MEDIA_TYPE, pack, unpack
from dentasam.labelling.workspace.file_hashes import FileHashes
from dentasam.labelling.workspace.tidy_sizes import Tidy
from dentasam.labelling.workspace.workspace import Workspace

TOKEN = "a-token-of-the-tests"
PORT = 8765
BASE = f"http://127.0.0.1:{PORT}"
WIDTH, HEIGHT = 60, 40


SECONDS = Seconds(0.25, 0.5)
IDENTITY = ModelIdentity("small", "0" * 64, None, None)


@dataclass
class StandIn:
    """In place of the encode queue and the predictor.

    Its mask for an object is a square around the last click, or the box; it keeps what it was asked.
    """

    worklist: Worklist
    files: FileHashes = field(default_factory=FileHashes)
    model: ModelIdentity = IDENTITY
    chart_key: str | None = None
    asked: list[Any] = field(default_factory=list)
    tidied: list[list[Tidy]] = field(default_factory=list)
    parts: list[list[bool]] = field(default_factory=list)
    opened: list[tuple[int, list[int]]] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    news: int = 0
    charted_again: int = 0
    numberer: Any = None

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def chart_again(self) -> None:
        self.charted_again += 1

    def served(self) -> Any:
        return self.numberer or SimpleNamespace(chart_key=self.chart_key)

    def worklist_changed(self) -> None:
        self.news += 1

    def open(self, case_id: int, following: Sequence[int]) -> None:
        self.opened.append((case_id, list(following)))

    def picture(self, case_id: int) -> str:
        try:
            return self.files.of(self.worklist[case_id].path)
        except OSError as error:
            raise ImageError(str(error)) from None

    def request(self, case_id: int) -> bool:
        return True

    def encoded(self, case_id: int) -> bool:
        return case_id == 1

    def progress(self) -> Progress:
        return Progress(1, len(self.worklist), "b.png", self.failed)

    def predict(
        self,
        case_id: int,
        objects: Sequence[PredictObject],
        sizes: TidySizes,
        prefers_part: PrefersPart = lambda category: False,
    ) -> PredictReply:
        self._note(case_id, objects, sizes)
        self.parts.append([prefers_part(each.category) for each in objects])
        if any(each.box is None and not each.clicks for each in objects):
            raise PromptError("an object has neither a click nor a box; give it one")
        found = tuple(_predicted(each) for each in objects)
        return PredictReply(found, self.model, SECONDS, self.picture(case_id))

    def refine(self, case_id: int, objects: Sequence[RefineObject], sizes: TidySizes) -> RefineReply:
        self._note(case_id, objects, sizes)
        found = (
            RefinedObject(each.id, each.after, 0.5, "window", clicks=(*each.clicks, (3.0, 4.0, 1)))
            for each in objects
        )
        return RefineReply(tuple(found), self.model, SECONDS, self.picture(case_id))

    def _note(self, case_id: int, objects: Sequence[PredictObject | RefineObject], sizes: TidySizes) -> None:
        self.asked.append((case_id, list(objects)))
        self.tidied.append([sizes(each.category) for each in objects])


def _predicted(wanted: PredictObject) -> PredictedObject:
    mask = _square(wanted)
    choices = (
        (Choice(mask, 0.75, "window"), Choice(square(mask.x, mask.y, 1), 0.5, "whole")) if wanted.choices else ()
    )
    return PredictedObject(wanted.id, mask, 0.75, "window", choices)


def _square(wanted: PredictObject) -> BoxMask:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    if wanted.box is not None:
        x0, y0, x1, y1 = (int(np.clip(value, 0, WIDTH)) for value in wanted.box)
    else:
        x, y = (int(value) for value in wanted.clicks[-1][:2])
        x0, y0, x1, y1 = max(0, x - 2), max(0, y - 2), x + 3, y + 3
    mask[y0:y1, x0:x1] = True
    return BoxMask.from_mask(mask)


@dataclass
class Running:
    """An application and its parts. `client` sends the token with every request, `stranger` none."""

    app: FastAPI
    client: TestClient
    stranger: TestClient
    access: Access
    store: Store
    workspace: Workspace
    model: StandIn
    proposer: Proposer

    def post(self, path: str, document: Any, **headers: str) -> Any:
        """Posts an envelope; header names with `_` for `-`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, content=pack(document), headers={"Content-Type": MEDIA_TYPE, **given})

    def append(self, operations: list[dict[str, Any]], revision: int, case: int = 1) -> Any:
        return self.post(f"/api/cases/{case}/operations", {"operations": operations}, If_Match=f'"{revision}"')


def folder_of_images(folder: Path) -> Path:
    """a.png with 8 bits and b.png with 16, 60 x 40 pixels."""
    folder.mkdir()
    ramp = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    Image.fromarray((ramp % 251).astype(np.uint8)).save(folder / "a.png")
    Image.fromarray((ramp * 20).astype(np.uint16)).save(folder / "b.png")
    return folder


@contextmanager
def running(folder: Path, access: Access | None = None, page: Path | None = None) -> Iterator[Running]:
    access = access or Access(TOKEN, port=PORT, annotator="me")
    with Workspace.open(folder) as workspace:
        engine = open_workspace_database(workspace)
        store = Store(engine)
        store.sync_cases(workspace.images)
        worklist = Worklist(store.cases(), workspace.images)
        model: Any = StandIn(worklist)
        proposer = Proposer(store, workspace)
        app = create_app(workspace, store, worklist, model, model, access, proposer=proposer, page=page)
        options: dict[str, Any] = {"base_url": BASE, "raise_server_exceptions": False, "follow_redirects": False}
        with (
            TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"}, **options) as client,
            TestClient(app, **options) as stranger,
        ):
            yield Running(app, client, stranger, access, store, workspace, model, proposer)
        engine.dispose()


def opened(answer: Any) -> Any:
    """The document of an answer that is an envelope."""
    assert answer.headers["content-type"] == MEDIA_TYPE
    return unpack(answer.content)


def square(x: int, y: int, side: int) -> BoxMask:
    return BoxMask(x, y, np.ones((side, side), bool))


def create(object: str, **data: Any) -> dict[str, Any]:
    """An operation that creates an object by hand."""
    return {
        "id": str(uuid4()),
        "kind": "create",
        "object": object,
        "time": 1,
        "data": {"source": "manual", **data},
    }


def masked(object: str, mask: BoxMask, **more: Any) -> dict[str, Any]:
    """An operation that gives an object its mask with the brush."""
    operation = {"id": str(uuid4()), "kind": "mask", "object": object, "time": 2, "data": {"tool": "brush"}}
    return {**operation, "mask": mask, **more}
