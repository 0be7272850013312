"""What the log of a case adds up to: its status and its objects."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dentasam.labelling.log.operations import (
    Accept,
    ChangeMask,
    Create,
    Delete,
    Lock,
    OperationError,
    Parent,
    Relabel,
    SetStatus,
    Source,
    Status,
    StoredOperation,
)
from dentasam.labelling.wire.box_mask import BoxMask


@dataclass(frozen=True, slots=True)
class ObjectState:
    """One object after all operations so far.

    `painted` and `erased` are the pixels that the hand set and cleared; `prompts` and `model` as the operations
    carry them; `revision` and `annotator` are those of its last change, `created` the revision of its first.
    """

    id: str
    source: Source
    category: str | None = None
    parent: str | None = None
    locked: bool = False
    accepted: bool = False
    deleted: bool = False
    prompts: dict[str, Any] | None = None
    model: dict[str, Any] | None = None
    mask: BoxMask = field(default_factory=BoxMask.empty)
    painted: BoxMask = field(default_factory=BoxMask.empty)
    erased: BoxMask = field(default_factory=BoxMask.empty)
    area: int = 0
    created: int = 0
    revision: int = 0
    annotator: str = ""

    @property
    def score(self) -> float | None:
        """The IoU that the model expected of its last proposal."""
        return self.model.get("score") if self.model else None

    def document(self) -> dict[str, Any]:
        """What the API sends; masks are BoxMasks, ready to be packed."""
        return {
            "id": self.id,
            "category": self.category,
            "parent": self.parent,
            "locked": self.locked,
            "accepted": self.accepted,
            "deleted": self.deleted,
            "source": self.source,
            "score": self.score,
            "model": self.model,
            "prompts": self.prompts,
            "mask": self.mask,
            "painted": self.painted,
            "erased": self.erased,
            "area": self.area,
            "revision": self.revision,
            "annotator": self.annotator,
        }


@dataclass(frozen=True, slots=True)
class CaseState:
    """A case at one revision; objects by id in the order they were created, deleted ones among them."""

    revision: int = 0
    status: Status = "new"
    objects: dict[str, ObjectState] = field(default_factory=dict)

    @property
    def present(self) -> list[ObjectState]:
        """The objects that are not deleted."""
        return [state for state in self.objects.values() if not state.deleted]


def fold(state: CaseState, stored: StoredOperation) -> CaseState:
    """The case after one more operation of its log.

    The first edit of a new case puts it in progress; pre-annotations that are imported are no edit. Raises
    OperationError where the operation makes no sense: an object unknown, or created twice.
    """
    operation = stored.operation
    if isinstance(operation, SetStatus):
        return replace(state, revision=stored.revision, status=operation.data.status)
    imported = isinstance(operation, Create) and operation.data.source == "import"
    status: Status = "in-progress" if state.status == "new" and not imported else state.status
    changed = _changed(state, stored)
    changed = replace(changed, revision=stored.revision, annotator=stored.annotator)
    return CaseState(stored.revision, status, state.objects | {changed.id: changed})


def undone_ids(log: Sequence[StoredOperation]) -> set[str]:
    """The operations of a whole log that are taken back at its end; a redo undoes an undo."""
    takes_back = {stored.operation.id: stored.operation.undoes for stored in log}
    holds = dict.fromkeys(takes_back, True)

    def set_holding(id: str | None, holding: bool) -> None:
        while id is not None and holds.get(id, holding) != holding:
            holds[id] = holding
            id, holding = takes_back[id], not holding

    for stored in log:
        set_holding(stored.operation.undoes, False)
    return {id for id, holding in holds.items() if not holding}


def _changed(state: CaseState, stored: StoredOperation) -> ObjectState:
    operation = stored.operation
    assert not isinstance(operation, SetStatus)
    known = state.objects.get(operation.object)
    if isinstance(operation, Create):
        if known is not None:
            raise OperationError(f"operation {operation.id}: the object {operation.object} is there already")
        _check_parent(state, operation.id, operation.object, operation.data.parent)
        mask = operation.mask.tight() if operation.mask is not None else BoxMask.empty()
        return ObjectState(
            operation.object,
            operation.data.source,
            operation.data.category,
            operation.data.parent,
            mask=mask,
            area=mask.area,
            created=stored.revision,
        )
    if known is None:
        raise OperationError(f"operation {operation.id}: no object {operation.object} in this case")
    match operation:
        case ChangeMask():
            return _masked(known, operation)
        case Relabel():
            return replace(known, category=operation.data.category)
        case Parent():
            _check_parent(state, operation.id, known.id, operation.data.parent)
            return replace(known, parent=operation.data.parent)
        case Lock():
            return replace(known, locked=operation.data.locked)
        case Accept():
            return replace(known, accepted=operation.data.accepted)
        case Delete():
            return replace(known, deleted=operation.data.deleted)


def _masked(known: ObjectState, operation: ChangeMask) -> ObjectState:
    data = operation.data
    mask = operation.mask.tight()
    changed = replace(known, mask=mask, area=mask.area)
    if operation.painted is not None:
        changed = replace(changed, painted=operation.painted.tight())
    if operation.erased is not None:
        changed = replace(changed, erased=operation.erased.tight())
    if "prompts" in data.model_fields_set:
        changed = replace(changed, prompts=data.prompts.model_dump(mode="json") if data.prompts else None)
    if "model" in data.model_fields_set:
        changed = replace(changed, model=data.model.model_dump(mode="json") if data.model else None)
    return changed


def _check_parent(state: CaseState, operation: str, child: str, parent: str | None) -> None:
    if parent == child:
        raise OperationError(f"operation {operation}: an object cannot be its own parent")
    if parent is not None and parent not in state.objects:
        raise OperationError(f"operation {operation}: no object {parent} in this case to be the parent")
