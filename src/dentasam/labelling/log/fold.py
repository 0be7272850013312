"""The state of a case, its status and its objects, as its log of operations adds up to it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dentasam.labelling.log.database.damage import Damage
from dentasam.labelling.log.operations import (
    Accept,
    ChangeMask,
    Create,
    Delete,
    Lock,
    Operation,
    OperationError,
    Parent,
    Relabel,
    SetMissing,
    SetStatus,
    Source,
    Status,
    StoredOperation,
    is_withdrawal,
)
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.model.chart.dentition import chart_place

# More are not listed: whoever has changed an object so often is not going to undo all of it.
MAX_TOUCHES = 100


@dataclass(frozen=True, slots=True)
class ObjectState:
    """One object after all operations so far.

    painted, erased: the pixels that the annotator set and cleared by hand. prompts, model: as in the operations.
    area: pixels of the mask. created: the revision of its first operation. revision, annotator: those of its last.
    confidence: of a proposal, that it is there and its category is right. touches: of a proposal, the operations by
    which people changed it and that are not undone; accepting is none.
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
    confidence: float | None = None
    touches: tuple[str, ...] = ()

    @property
    def proposed(self) -> bool:
        """Whether it is as the model proposed it, and nobody has accepted it."""
        return self.source == "proposal" and not self.accepted and not self.touches

    @property
    def score(self) -> float | None:
        """The IoU that the model predicted for its last proposal."""
        return self.model.get("score") if self.model else None

    def document(self) -> dict[str, Any]:
        """The object as the API sends it; masks are BoxMasks, to be packed into an envelope."""
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
            "confidence": self.confidence,
            "proposed": self.proposed,
            "touches": list(self.touches),
        }


@dataclass(frozen=True, slots=True)
class CaseState:
    """A case at one revision.

    objects: by id in the order they were created, including deleted ones. missing: the numbers of teeth that were
    marked as missing, in chart order. damaged: what the database cannot give back, and so is not in `objects`.
    """

    revision: int = 0
    status: Status = "new"
    objects: dict[str, ObjectState] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    damaged: tuple[Damage, ...] = ()

    @property
    def present(self) -> list[ObjectState]:
        """The objects that are not deleted."""
        return [state for state in self.objects.values() if not state.deleted]


def fold(state: CaseState, stored: StoredOperation) -> CaseState:
    """The case after one more operation of its log.

    The first edit of a new case sets its status to in-progress; imported pre-annotations and proposals are not edits,
    nor is it one that the model withdraws a proposal. Raises
    OperationError if the operation is not possible: an unknown object, one that is created twice, a wrong parent.
    """
    operation = stored.operation
    if isinstance(operation, SetStatus):
        return replace(state, revision=stored.revision, status=operation.data.status)
    edits = not is_withdrawal(operation)
    if isinstance(operation, Create):
        edits = operation.data.source not in ("import", "proposal")
    status: Status = "in-progress" if state.status == "new" and edits else state.status
    if isinstance(operation, SetMissing):
        return replace(state, revision=stored.revision, status=status, missing=_missing(state.missing, operation))
    changed = _changed_object(state, stored)
    touches = _touches(changed, operation)
    changed = replace(changed, revision=stored.revision, annotator=stored.annotator, touches=touches)
    return replace(state, revision=stored.revision, status=status, objects=state.objects | {changed.id: changed})


def undone_ids(log: Sequence[StoredOperation]) -> set[str]:
    """The ids of the operations of a whole log that are undone at its end.

    A redo is an operation that undoes an undo.
    """
    undoes = {stored.operation.id: stored.operation.undoes for stored in log}
    in_effect = dict.fromkeys(undoes, True)

    def set_in_effect(id: str | None, value: bool) -> None:
        """Changes an operation and, the other way round, the one that it undoes, and so on."""
        while id is not None and in_effect.get(id, value) != value:
            in_effect[id] = value
            id, value = undoes[id], not value

    for stored in log:
        set_in_effect(stored.operation.undoes, False)
    return {id for id, value in in_effect.items() if not value}


def _changed_object(state: CaseState, stored: StoredOperation) -> ObjectState:
    operation = stored.operation
    assert not isinstance(operation, SetStatus | SetMissing)
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
            prompts=operation.data.prompts.model_dump(mode="json") if operation.data.prompts else None,
            model=operation.data.model.model_dump(mode="json") if operation.data.model else None,
            mask=mask,
            area=mask.area,
            created=stored.revision,
            confidence=operation.data.confidence,
        )
    if known is None:
        raise OperationError(f"operation {operation.id}: no object {operation.object} in this case")
    match operation:
        case ChangeMask():
            return _with_mask(known, operation)
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


def _touches(changed: ObjectState, operation: Operation) -> tuple[str, ...]:
    """The object's touches after an operation: an undo removes the one that it undoes, a redo is a new one."""
    if changed.source != "proposal" or isinstance(operation, Create | Accept) or is_withdrawal(operation):
        return changed.touches
    if operation.undoes in changed.touches:
        return tuple(touch for touch in changed.touches if touch != operation.undoes)
    return (*changed.touches, operation.id)[:MAX_TOUCHES]


def _missing(numbers: tuple[str, ...], operation: SetMissing) -> tuple[str, ...]:
    others = [number for number in numbers if number != operation.data.number]
    return tuple(sorted([*others, operation.data.number] if operation.data.missing else others, key=chart_place))


def _with_mask(known: ObjectState, operation: ChangeMask) -> ObjectState:
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
