"""A small labelled workspace, for tests that damage its database."""

import random
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dentasam.labelling.exchange.offline import open_workspace
from dentasam.labelling.log.operations import parse_operation
from dentasam.labelling.log.store import Store
from dentasam.labelling.wire.box_mask import BoxMask

from ...conftest import MANUAL, Reported

HEIGHT, WIDTH, CASES, OBJECTS = 40, 60, 4, 8


def labelled_folder(folder: Path) -> Path:
    """Makes a folder of four images with eight objects each, a comment, active time, statuses and a missing tooth."""
    folder.mkdir(parents=True)
    for number in range(CASES):
        Image.fromarray(np.full((HEIGHT, WIDTH), 40 + number, np.uint8)).save(folder / f"{number}.png")
    with open_workspace(folder) as (_, store, _):
        for case in store.cases():
            _label(store, case.id, random.Random(case.id))
    return folder


def _label(store: Store, case: int, draw: random.Random) -> None:
    def fresh_id() -> str:
        return str(uuid.UUID(int=draw.getrandbits(128), version=4))

    clock = iter(range(1_700_000_000_000, 1_800_000_000_000, 1000))
    documents: list[dict[str, Any]] = []
    objects = [fresh_id() for _ in range(OBJECTS)]
    for object in objects:
        data: dict[str, Any] = {**MANUAL, "category": draw.choice(["11", "36", "restoration"])}
        data |= {"parent": objects[0]} if object != objects[0] and draw.random() < 0.3 else {}
        documents.append({"kind": "create", "object": object, "data": data})
        for _ in range(2):
            mask = np.zeros((HEIGHT, WIDTH), bool)
            y, x = draw.randrange(HEIGHT - 10), draw.randrange(WIDTH - 10)
            mask[y : y + 10, x : x + 10] = np.array([draw.random() < 0.6 for _ in range(100)]).reshape(10, 10)
            prompts = {"clicks": [[x + 4.5, y + 3.25, 1]], "box": None}
            data = {"tool": "click", "prompts": prompts, "model": {"name": "dentasam-tiny", "score": 0.75}}
            documents.append({"kind": "mask", "object": object, "data": data, "mask": BoxMask.from_mask(mask)})
    documents.append({"kind": "missing", "object": None, "data": {"number": "18", "missing": True}})
    documents.append({"kind": "status", "object": None, "data": {"status": draw.choice(["done", "needs-review"])}})
    operations = [parse_operation({"id": fresh_id(), "time": next(clock), **document}) for document in documents]
    store.append(case, operations, 0, "anna")
    store.add_comment(case, "anna", "the apex of the lower right molar is hard to see")
    store.add_time(case, "anna", [Reported(case * 1_000_000, 12.5, "click", objects[0])])
