"""Objects of other programs as pre-annotations of a case, to be corrected rather than drawn.

The ids of the operations are computed from their content, so importing the same file twice changes nothing, and an
object that was deleted since stays deleted.
"""

import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from dentasam.data.masks import rle
from dentasam.labelling.exchange.exports import UNLABELLED
from dentasam.labelling.log.cases import Case
from dentasam.labelling.log.operations import Operation, parse_operation
from dentasam.labelling.log.store import Store
from dentasam.labelling.proposals.new_proposals import withdrawals
from dentasam.labelling.wire.box_mask import BoxMask

MAX_CATEGORY_LENGTH = 200
NAMESPACE = uuid.UUID("6f1c2a54-59c5-4b8e-9d0b-5f7f0c6c0d1e")


@dataclass(frozen=True, slots=True)
class ImportedObject:
    """An object of a file: its annotation's id, its RLE runs on the whole image, its parent's annotation id."""

    annotation: int
    category: str | None
    runs: np.ndarray
    parent: int | None = None


def store_objects(store: Store, case: Case, found: list[ImportedObject], annotator: str) -> int:
    """Stores the objects in a case; returns how many of them are new.

    An object with the label and the mask of one that is or was there is not new, whatever file it comes from.
    Untouched proposals of what is labelled now are withdrawn.
    """
    state = store.state(case.id)
    masks = {item.annotation: _box_mask(item.runs, case.height) for item in found}
    known = {_content(each.category, each.mask): each for each in state.objects.values() if each.source != "proposal"}
    same = {item.annotation: known.get(_content(item.category, masks[item.annotation])) for item in found}
    new = [item for item in found if same[item.annotation] is None]
    # A new object may lie in a tooth that is there already.
    there = {annotation: each.id for annotation, each in same.items() if each is not None and not each.deleted}
    stored = store.import_objects({case.id: list(create_operations(case, new, there))}, annotator) if new else 0
    labelled = [(item.category, masks[item.annotation]) for item in found]
    store.withdraw(case.id, lambda present: withdrawals(present, labelled))
    return stored


def _content(category: str | None, mask: BoxMask) -> tuple[object, ...]:
    """What two objects have in common that are the same."""
    return category, mask.x, mask.y, mask.bits.shape, mask.bits.tobytes()


def create_operations(
    case: Case, found: list[ImportedObject], there: Mapping[int, str] | None = None
) -> Iterator[Operation]:
    """The operations that make the objects, each after its parent.

    there: the ids of objects that the case has already, by their annotations' ids in the file.
    """
    now = int(time.time() * 1000)
    keys = {item.annotation: _key(case, item) for item in found}
    parents = {annotation: str(key) for annotation, key in keys.items()} | dict(there or {})
    for item in _parents_first(found):
        key = keys[item.annotation]
        yield parse_operation(
            {
                "id": str(uuid.uuid5(key, "create")),
                "kind": "create",
                "object": str(key),
                "time": now,
                "data": {
                    "category": item.category,
                    "parent": parents.get(item.parent) if item.parent is not None else None,
                    "source": "import",
                },
                "mask": _box_mask(item.runs, case.height),
            }
        )


def _key(case: Case, item: ImportedObject) -> uuid.UUID:
    """The object's id, which is the same for the same annotation with the same mask and label."""
    counts = rle.to_string(item.runs, case.height, case.width)
    return uuid.uuid5(NAMESPACE, f"{case.name}\n{item.annotation}\n{item.category}\n{counts}")


def _parents_first(found: list[ImportedObject]) -> list[ImportedObject]:
    """The objects, each after its parent; parents that form a circle or do not exist are dropped."""
    waiting = {item.annotation: item for item in found}
    ordered: list[ImportedObject] = []
    placed: set[int] = set()
    while waiting:
        ready = [item for item in waiting.values() if item.parent in placed or item.parent not in waiting]
        if not ready:
            ready = [ImportedObject(item.annotation, item.category, item.runs) for item in waiting.values()]
        for item in ready:
            ordered.append(item)
            placed.add(item.annotation)
            del waiting[item.annotation]
    return ordered


def label_of(category: str) -> str | None:
    """A category as a label: printable and not too long; None for one that stands for no label."""
    shown = "".join(letter for letter in category if letter.isprintable())[:MAX_CATEGORY_LENGTH]
    return shown if shown and shown != UNLABELLED else None


def _box_mask(runs: np.ndarray, height: int) -> BoxMask:
    """The mask of COCO's run lengths; only the object's own columns are decoded."""
    return BoxMask(*rle.decode_box(runs, height))
