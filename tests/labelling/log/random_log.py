"""500 random operations on one case, what they must add up to, and a writer of them that a test kills.

Run as a program it appends them in small requests and prints the revision after each.
"""

import random
import sys
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from dentasam.labelling.log.database.opening import open_database
from dentasam.labelling.log.operations import ChangeMask, Create, Operation, parse_operation
from dentasam.labelling.log.store import Store
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.workspace.workspace import CaseImage

HEIGHT, WIDTH = 40, 60
COUNT = 500


def random_operations(seed: int) -> list[Operation]:
    """A log as a page would make it: objects drawn, erased, relabelled, deleted and brought back, undone."""
    draw = random.Random(seed)

    def fresh_id() -> str:
        return str(uuid.UUID(int=draw.getrandbits(128), version=4))

    objects: list[str] = []
    drawn: dict[str, np.ndarray] = {}
    found: list[Operation] = []
    last_stroke: tuple[str, str, np.ndarray] | None = None
    while len(found) < COUNT:
        kind = draw.choice(["create", "mask", "mask", "mask", "mask", "relabel", "lock", "delete", "undo"])
        document: dict[str, Any] = {"id": fresh_id(), "kind": kind, "time": 1_700_000_000_000 + len(found)}
        if kind == "create" or not objects:
            objects.append(fresh_id())
            drawn[objects[-1]] = np.zeros((HEIGHT, WIDTH), bool)
            data = {"category": None, "parent": None, "source": "manual"}
            found.append(parse_operation(document | {"kind": "create", "object": objects[-1], "data": data}))
            continue
        document["object"] = draw.choice(objects)
        if kind == "undo":
            if last_stroke is None:
                continue
            id, object, before = last_stroke
            document |= {"kind": "mask", "object": object, "data": {"tool": "brush"}, "undoes": id}
            document["mask"] = BoxMask.from_mask(before)
            drawn[object] = before
            last_stroke = None
        elif kind == "mask":
            before = drawn[document["object"]]
            after = before.copy()
            y, x = draw.randrange(HEIGHT), draw.randrange(WIDTH)
            after[y : y + draw.randrange(1, 12), x : x + draw.randrange(1, 12)] = draw.random() < 0.7
            last_stroke = document["id"], document["object"], before
            drawn[document["object"]] = after
            document |= {"data": {"tool": "brush"}, "mask": BoxMask.from_mask(after)}
        else:
            values = {"relabel": {"category": draw.choice(["36", None])}, "lock": {"locked": draw.random() < 0.5}}
            document["data"] = values.get(kind, {"deleted": draw.random() < 0.5})
        found.append(parse_operation(document))
    return found


def canvases(operations: list[Operation]) -> dict[str, bytes]:
    """The bytes of each object's whole-image mask, by plain replay on canvases."""
    found: dict[str, bytes] = {}
    for operation in operations:
        if isinstance(operation, Create):
            found[operation.object] = np.zeros((HEIGHT, WIDTH), bool).tobytes()
        elif isinstance(operation, ChangeMask):
            found[operation.object] = operation.mask.on_image(HEIGHT, WIDTH).tobytes()
    return found


def write(url: str, seed: int) -> None:
    store = Store(open_database(url))
    store.sync_cases([CaseImage("a.png", Path("a.png"), WIDTH, HEIGHT, 8)])
    case = store.cases()[0].id
    operations, sizes = random_operations(seed), random.Random(seed)
    revision = 0
    while revision < len(operations):
        size = sizes.randrange(1, 4)
        revision = store.append(case, operations[revision : revision + size], revision, "ann").revision
        print(revision, flush=True)


if __name__ == "__main__":
    write(sys.argv[1], int(sys.argv[2]))
