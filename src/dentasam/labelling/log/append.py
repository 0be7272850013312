"""Appends operations to the log of a case: all of a request or none, and never the same one twice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, insert, select, update

from dentasam.labelling.log import rows
from dentasam.labelling.log.cases import case_row, change_case_row
from dentasam.labelling.log.database import batches, cases, objects, operations
from dentasam.labelling.log.fold import CaseState, ObjectState, fold
from dentasam.labelling.log.operations import Operation, StoredOperation, check_masks
from dentasam.labelling.log.read import read_objects, read_state


class RevisionConflict(Exception):
    """The case has operations that the sender has not seen. `revision` is the case's own."""

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
    that are stored already are skipped, so that a request whose answer was lost can be sent again unchanged. Raises
    CaseNotFound; RevisionConflict where others have appended since `expected`; OperationError where an operation
    makes no sense on the case; DamagedData where an object that it names is damaged. After an exception the
    transaction must be rolled back.
    """
    # The lock holds until the commit: a second writer waits here, and then sees this one's revision.
    case = case_row(connection, case_id, lock=True)
    revision = int(case["revision"])
    unique = {operation.id: operation for operation in sent}
    known = _stored_revisions(connection, case_id, list(unique))
    new = [operation for id, operation in unique.items() if id not in known]
    if not new:
        return Appended(revision, 0)
    if expected is not None:
        # Operations stored since `expected` that the request repeats are the sender's own: the answer was lost.
        own = sum(stored > expected for stored in known.values())
        if revision - expected != own:
            raise RevisionConflict(revision)
    check_masks(new, case["height"], case["width"])
    received = rows.utc_now()
    stored = [StoredOperation(op, revision + n, annotator, received) for n, op in enumerate(new, start=1)]
    before = read_objects(connection, case, _named_objects(new))
    after = CaseState(revision, case["status"], before, tuple(case["missing"] or ()))
    for operation in stored:
        after = fold(after, operation)
    connection.execute(insert(operations), [rows.operation_row(case_id, operation) for operation in stored])
    _write_objects(connection, case_id, before, after.objects)
    created = len(after.objects) - len(before)
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


def change_case(
    connection: Connection, case_id: int, make: Callable[[CaseState], Sequence[Operation]], annotator: str
) -> None:
    """Adds what `make` makes of the case's state, while nobody else can change the case.

    Raises as `append_operations`.
    """
    made = make(read_state(connection, case_row(connection, case_id, lock=True), whole=False))
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
    ids = {operation.object for operation in sent} | {getattr(op.data, "parent", None) for op in sent}
    return {id for id in ids if id is not None}


def _stored_revisions(connection: Connection, case_id: int, ids: Sequence[str]) -> dict[str, int]:
    """Revision by id, of those operations that are stored."""
    found: dict[str, int] = {}
    for batch in batches(ids):
        chosen = and_(operations.c.case_id == case_id, operations.c.id.in_(batch))
        stored = connection.execute(select(operations.c.id, operations.c.revision).where(chosen))
        found |= {row.id: row.revision for row in stored}
    return found
