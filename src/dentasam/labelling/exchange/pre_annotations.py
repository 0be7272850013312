"""Objects of other programs as pre-annotations of a case, to be corrected rather than drawn.

The ids of the operations are computed from their content, so importing the same file twice changes nothing, and an
object that was deleted since stays deleted.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dentasam.data.masks import rle
from dentasam.labelling.exchange.exports import UNLABELLED
from dentasam.labelling.exchange.import_bounds import ImportBounds
from dentasam.labelling.log.cases import Case
from dentasam.labelling.log.operations import Operation, parse_operation
from dentasam.labelling.log.store import Store
from dentasam.labelling.proposals.new_proposals import withdrawals
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.visible_text import without_unseen

MAX_CATEGORY_LENGTH = 200
# Objects that share a transaction, and the bytes of their masks: others write in between.
BATCH = 200
BATCH_BYTES = 4_000_000
NAMESPACE = uuid.UUID("6f1c2a54-59c5-4b8e-9d0b-5f7f0c6c0d1e")


@dataclass(frozen=True, slots=True)
class ImportedObject:
    """An object of a file: its annotation's id, its label, its parent's annotation id.

    draw: gives its RLE runs on the whole image, which are not kept. Raises DatasetError where there are none.
    """

    annotation: int
    category: str | None
    draw: Callable[[], np.ndarray]
    parent: int | None = None


def store_objects(
    store: Store,
    case: Case,
    found: Sequence[ImportedObject],
    annotator: str,
    bounds: ImportBounds | None = None,
) -> int:
    """Stores the objects in a case; returns how many of them are new.

    An object with the label and the mask of one that is or was there is not new, whatever file it comes from.
    Untouched proposals of what is labelled now are withdrawn. Raises DatasetError, before anything is stored in the
    case, for masks beyond `bounds`; ImportStopped, also between two batches, where the client is gone.

    A few objects at a time are stored, each batch in a transaction of its own, so that others may write between two.
    After an import that was interrupted, the same file brings the rest.
    """
    bounds = bounds or ImportBounds()
    bounds.begin_case()
    bounds.check()
    state = store.state(case.id)
    known = {_content(each.category, each.mask): each for each in state.objects.values() if each.source != "proposal"}
    # By annotation: the object that it is, where another one may lie in it.
    there: dict[int, str] = {}
    labelled: set[str] = set()
    new: list[DrawnObject] = []
    for item in parents_first(found):
        bounds.check()
        drawn = DrawnObject.of(case, item, item.draw())
        same = known.get(_content(item.category, drawn.mask))
        if same is None:
            bounds.add(case.name, len(drawn.mask.runs()))
            new.append(drawn)
            there[item.annotation] = drawn.id
        elif not same.deleted:
            there[item.annotation] = same.id
        labelled.add(drawn.id if same is None else same.id)
    stored = 0
    for batch in _batches(new):
        bounds.check()
        stored += store.import_objects({case.id: list(create_operations(batch, there))}, annotator)
    _withdraw_proposals(store, case, labelled)
    return stored


def _withdraw_proposals(store: Store, case: Case, labelled: Collection[str]) -> None:
    """Takes back the untouched proposals of what these objects label."""
    state = store.state(case.id)
    if not any(known.proposed for known in state.present):
        return
    own = [(each.category, each.mask) for each in state.objects.values() if each.id in labelled]
    outdated = {operation.object for operation in withdrawals(state, own) if operation.object is not None}
    if outdated:
        # Somebody may have changed one of them meanwhile.
        store.withdraw(case.id, outdated, lambda present: withdrawals(present, own))


def _content(category: str | None, mask: BoxMask) -> bytes:
    """A hash of what two objects have in common that are the same."""
    place = f"{category}|{mask.x}|{mask.y}|{mask.width}|{mask.height}|"
    return hashlib.sha256(place.encode("utf-8", "surrogatepass") + mask.runs()).digest()


@dataclass(frozen=True, slots=True)
class DrawnObject:
    """An imported object with its mask, and the id that it has in the case."""

    item: ImportedObject
    id: str
    mask: BoxMask

    @staticmethod
    def of(case: Case, item: ImportedObject, runs: np.ndarray) -> DrawnObject:
        """runs: what `item.draw` gives."""
        mask = BoxMask(*rle.decode_box(runs, case.height))
        # The same for the same annotation with the same mask and label.
        counts = rle.to_string(runs, case.height, case.width)
        key = uuid.uuid5(NAMESPACE, f"{case.name}\n{item.annotation}\n{item.category}\n{counts}")
        return DrawnObject(item, str(key), mask.packed())


def create_operations(objects: Iterable[DrawnObject], there: Mapping[int, str]) -> Iterator[Operation]:
    """The operations that make the objects.

    there: the ids of objects that are in the case or come before their parts, by their annotations' ids in the file.
    """
    now = int(time.time() * 1000)
    for drawn in objects:
        item = drawn.item
        parent = there.get(item.parent) if item.parent is not None else None
        yield parse_operation(
            {
                "id": str(uuid.uuid5(uuid.UUID(drawn.id), "create")),
                "kind": "create",
                "object": drawn.id,
                "time": now,
                "data": {"category": item.category, "parent": parent, "source": "import"},
                "mask": drawn.mask,
            }
        )


def parents_first(found: Sequence[ImportedObject]) -> list[ImportedObject]:
    """The objects, each after its parent; parents that form a circle or do not exist are dropped."""
    known = {item.annotation for item in found}
    parts: defaultdict[int, list[ImportedObject]] = defaultdict(list)
    level: list[ImportedObject] = []
    for item in found:
        if item.parent is None or item.parent not in known:
            level.append(replace(item, parent=None))
        else:
            parts[item.parent].append(item)
    ordered: list[ImportedObject] = []
    while level:
        ordered += level
        level = [part for item in level for part in parts.pop(item.annotation, ())]
    # What lies in a circle, or in one that does.
    return ordered + [replace(item, parent=None) for rest in parts.values() for item in rest]


def _batches(objects: Sequence[DrawnObject]) -> Iterator[Sequence[DrawnObject]]:
    batch: list[DrawnObject] = []
    size = 0
    for drawn in objects:
        more = len(drawn.mask.runs())
        if batch and (len(batch) == BATCH or size + more > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(drawn)
        size += more
    if batch:
        yield batch


def label_of(category: str) -> str | None:
    """A category as a label: printable and not too long; None for one that stands for no label."""
    shown = without_unseen(category)[:MAX_CATEGORY_LENGTH]
    return shown if shown and shown != UNLABELLED else None
