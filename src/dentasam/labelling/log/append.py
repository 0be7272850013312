"""Appends operations to the log of a case: all of a request or none, and never the same one twice."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, and_, insert, select, update

from dentasam.labelling.log import rows
from dentasam.labelling.log.cases import case_row, change_case_row
from dentasam.labelling.log.database.tables import cases, objects, operations
from dentasam.labelling.log.database.transactions import batches
from dentasam.labelling.log.fold import CaseState, ObjectState, fold
from dentasam.labelling.log.operations import Operation, StoredOperation, check_masks
from dentasam.labelling.log.read import read_objects, read_rows, read_state


class RevisionConflict(Exception):
    """Others changed, since the sender last looked, what the sender changes too. `revision` is the case's own."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"the case is at revision {revision}")
        self.revision = revision


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append did: the case's revision after it, and how many operations were new."""

    revision: int
    stored: int


def append_operations(
    connection: Connection, case_id: int, sent: Sequence[Operation], expected: int | None, annotator: str
) -> Appended:
    """Adds the operations that the log does not have yet, and updates the case's row and its objects' rows.

    expected: the revision that the sender last saw; None to append at whatever revision the case has. Operations
    that are stored already are skipped, so that a request whose answer was lost can be sent again unchanged. Work of
    others on other objects is not a conflict: the revision that is returned is then larger than `expected` and what
    is new account for. Raises CaseNotFound; RevisionConflict where others have changed the same objects, or made them
    parents, since `expected`, or where the case has no such revision yet; OperationError where an operation makes
    no sense on the case; DamagedData where an object that it names is damaged. After an exception the transaction
    must be rolled back.
    """
    # The lock holds until the commit: a second writer waits here, and then sees this one's revision.
    case = case_row(connection, case_id, lock=True)
    revision = int(case["revision"])
    unique = {operation.id: operation for operation in sent}
    known = _stored_revisions(connection, case_id, list(unique))
    new = [operation for id, operation in unique.items() if id not in known]
    if not new:
        return Appended(revision, 0)
    if expected is not None and expected != revision:
        # Operations stored since `expected` that the request repeats are the sender's own: the answer was lost.
        changed_by_others = _changed_since(connection, case_id, expected, known)
        if expected > revision or changed_by_others & _changed_or_named(new):
            raise RevisionConflict(revision)
    check_masks(new, case["height"], case["width"])
    received = rows.utc_now()
    stored = [StoredOperation(op, revision + n, annotator, received) for n, op in enumerate(new, start=1)]
    before = read_objects(connection, case, _named_objects(new))
    after = CaseState(revision, case["status"], {}, tuple(case["missing"] or ()))
    objects_after = dict(before)
    for operation in stored:
        # Each step copies the objects that it is given.
        own = _named_objects([operation.operation])
        own_objects = {id: objects_after[id] for id in own if id in objects_after}
        after = fold(replace(after, objects=own_objects), operation)
        objects_after |= after.objects
    connection.execute(insert(operations), [rows.operation_row(case_id, operation) for operation in stored])
    _write_objects(connection, case_id, before, objects_after)
    created = len(objects_after) - len(before)
    changed: dict[str, Any] = {"revision": after.revision, "status": after.status, "updated": received}
    changed |= {"missing": list(after.missing) or None, "object_rows": case["object_rows"] + created}
    change_case_row(connection, case, changed)
    return Appended(after.revision, len(new))


def propose_operations(
    connection: Connection,
    case_id: int,
    chart: str,
    make: Callable[[CaseState], Sequence[Operation] | None],
    annotator: str,
) -> Appended | None:
    """Adds what `make` makes of the case's state, and notes the chart that it comes from, in one step.

    chart: which picture and model the proposals are from; a case that has those of this chart already is left alone.
    make: called while nobody else can change the case; returns None where the case gets no proposals now. Returns
    None where nothing was done. Raises as `append_operations`.
    """
    case = case_row(connection, case_id, lock=True)
    if case["charted"] == chart:
        return None
    state = read_state(connection, case, whole=False)
    # The model would propose again what is damaged.
    made = None if state.damaged else make(state)
    if made is None:
        return None
    appended = append_operations(connection, case_id, made, None, annotator)
    connection.execute(update(cases).where(cases.c.id == case_id).values(charted=chart))
    return appended


def change_objects(
    connection: Connection,
    case_id: int,
    ids: Collection[str],
    make: Callable[[CaseState], Sequence[Operation]],
    annotator: str,
) -> None:
    """Adds what `make` makes of the case's state with these objects alone, while nobody else can change the case.

    Raises as `append_operations`.
    """
    case = case_row(connection, case_id, lock=True)
    chosen = read_objects(connection, case, ids)
    made = make(CaseState(case["revision"], case["status"], chosen, tuple(case["missing"] or ())))
    if made:
        append_operations(connection, case_id, made, None, annotator)


def _write_objects(
    connection: Connection, case_id: int, before: dict[str, ObjectState], after: dict[str, ObjectState]
) -> None:
    """Inserts the rows of new objects and updates those of changed ones."""
    created = [rows.object_row(case_id, state) for id, state in after.items() if id not in before]
    if created:
        connection.execute(insert(objects), created)
    for id, state in before.items():
        if after[id] is not state:
            chosen = and_(objects.c.case_id == case_id, objects.c.id == id)
            connection.execute(update(objects).where(chosen).values(rows.object_row(case_id, after[id])))


def _named_objects(sent: Sequence[Operation]) -> set[str]:
    """The ids of the objects that operations change or name as a parent."""
    return {id for id in _changed_or_named(sent) if id is not None}


def _changed_or_named(sent: Sequence[Operation]) -> set[str | None]:
    """The ids of the objects that operations change or name as a parent; None where they change the case itself."""
    parents = {getattr(operation.data, "parent", None) for operation in sent} - {None}
    return {operation.object for operation in sent} | parents


def _changed_since(connection: Connection, case_id: int, revision: int, without: Collection[str]) -> set[str | None]:
    """What the operations after a revision change or name as a parent, but for those with the ids `without`.

    None is the case itself. What cannot be read of a damaged operation counts as naming none.
    """
    chosen = and_(operations.c.case_id == case_id, operations.c.revision > revision)
    stored = connection.execute(select(operations.c.id, operations.c.object_id).where(chosen))
    changed = {row.object_id for row in stored if row.id not in without}
    # Of the other kinds the data, which may be long, is not needed.
    may_name = and_(chosen, operations.c.kind.in_(("create", "parent")))
    columns = (operations.c.revision, operations.c.id, operations.c.data)
    for row in read_rows(connection, operations, may_name, operations.c.revision, columns):
        data = row.get("data")
        parent = data.get("parent") if isinstance(data, dict) and row["id"] not in without else None
        if isinstance(parent, str):
            changed.add(parent)
    return changed


def _stored_revisions(connection: Connection, case_id: int, ids: Sequence[str]) -> dict[str, int]:
    """Revision by id, of those operations that are stored."""
    found: dict[str, int] = {}
    for batch in batches(ids):
        chosen = and_(operations.c.case_id == case_id, operations.c.id.in_(batch))
        stored = connection.execute(select(operations.c.id, operations.c.revision).where(chosen))
        found |= {row.id: row.revision for row in stored}
    return found
