"""The cases of a workspace in its database: an append-only log per case, and what it adds up to.

Any number of threads and, with PostgreSQL, of servers may use one database. Every change is one transaction: it is
stored as a whole when the call returns, or not at all.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, and_, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from dentasam.errors import WorkspaceError
from dentasam.labelling.log import rows
from dentasam.labelling.log.active_time import Interval, Span, counted, fresh_parts
from dentasam.labelling.log.database import (
    cases,
    comments,
    intervals,
    is_disk_full,
    objects,
    operations,
    reading,
    writing,
)
from dentasam.labelling.log.fold import CaseState, ObjectState, fold
from dentasam.labelling.log.operations import Operation, Status, StoredOperation, check_masks
from dentasam.labelling.wire.fields import MAX_COMMENT_LENGTH
from dentasam.labelling.workspace.workspace import CaseImage

IDLE_SECONDS = 30.0
# Ids of one request are looked up in parts, since databases bound the parameters of a statement.
IDS_AT_ONCE = 500


class CaseNotFound(LookupError):
    """No case has this id."""


class RevisionConflict(Exception):
    """The case has operations that the sender has not seen. `revision` is the case's own."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"the case is at revision {revision}")
        self.revision = revision


class StorageFull(WorkspaceError):
    """No room is left for the database; nothing of the change was stored."""


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the worklist. `objects` are those not deleted; `updated` is ISO 8601 in UTC."""

    id: int
    name: str
    width: int
    height: int
    bits: int
    status: Status
    revision: int
    uncertainty: float | None
    updated: str
    objects: int
    comments: int
    active_seconds: float


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody wrote about a case. `time` is ISO 8601 in UTC."""

    id: int
    annotator: str
    text: str
    time: str


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append did: the case's revision after it, and how many operations were new."""

    revision: int
    stored: int


@dataclass(frozen=True, slots=True)
class ActiveTime:
    """A stretch of work as it is kept; those of one annotator never overlap. Times are seconds since 1970."""

    case_id: int
    annotator: str
    tool: str
    object: str | None
    start: float
    stop: float


class Store:
    """The cases in one database. Raises CaseNotFound for an unknown case, StorageFull where no room is left."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def sync_cases(self, images: Sequence[CaseImage]) -> list[str]:
        """Makes a case for each new image, and hides the cases whose image is gone; their work is kept.

        Returns a line for each image that is not taken since its size is no longer the one it was labelled at.
        """
        problems: list[str] = []
        with self._writing() as connection:
            if connection.dialect.name == "postgresql":
                # Two servers that start at once would both add the same cases.
                connection.exec_driver_sql("LOCK TABLE cases IN SHARE ROW EXCLUSIVE MODE")
            known = {row["name"]: row for row in connection.execute(select(cases)).mappings()}
            present: set[str] = set()
            for image in images:
                row = known.get(image.name)
                size = {"width": image.width, "height": image.height, "bits": image.bits}
                if row is None:
                    fresh = {"status": "new", "revision": 0, "present": True, "updated": _now()}
                    connection.execute(insert(cases).values(name=image.name, **size, **fresh))
                elif row["revision"] and (row["width"], row["height"]) != (image.width, image.height):
                    problems.append(
                        f"{image.name} is left out: it has {image.width}x{image.height} pixels, but was labelled at "
                        f"{row['width']}x{row['height']}; put the old file back or rename the new one"
                    )
                    continue
                elif not row["present"] or any(row[key] != value for key, value in size.items()):
                    connection.execute(update(cases).where(cases.c.id == row["id"]).values(present=True, **size))
                present.add(image.name)
            gone = [row["id"] for name, row in known.items() if row["present"] and name not in present]
            for part in _parts(gone):
                connection.execute(update(cases).where(cases.c.id.in_(part)).values(present=False))
        return problems

    def cases(self) -> list[Case]:
        """All cases whose image is there, by name."""
        with reading(self.engine) as connection:
            found = [_case(row) for row in connection.execute(_listing()).mappings()]
        return sorted(found, key=lambda case: rows.natural(case.name))

    def case(self, case_id: int) -> Case:
        with reading(self.engine) as connection:
            row = connection.execute(_listing().where(cases.c.id == case_id)).mappings().first()
        if row is None:
            raise _not_found(case_id)
        return _case(row)

    def state(self, case_id: int) -> CaseState:
        """The case as its log adds up to, without reading the log."""
        with reading(self.engine) as connection:
            return _state(connection, _head(connection, case_id))

    def objects_of(self, case_id: int, ids: Iterable[str]) -> list[ObjectState]:
        """The states of some objects of a case; unknown ids are passed over."""
        with reading(self.engine) as connection:
            _head(connection, case_id)
            return list(_objects(connection, case_id, set(ids)).values())

    def append(self, case_id: int, operations: Sequence[Operation], expected: int, annotator: str) -> Appended:
        """Adds operations to the log in one transaction.

        expected: the revision that the sender last saw. Operations that are stored already are passed over, so a
        request may be sent again with the revision it had. Raises RevisionConflict where new operations come
        with a revision that lacks operations of others, OperationError where one makes no sense on the case; then
        none is stored.
        """
        with self._writing() as connection:
            return _append(connection, case_id, operations, expected, annotator)

    def import_objects(self, case_id: int, created: Sequence[Operation], annotator: str) -> int:
        """Adds operations whatever the case's revision, and returns how many were new. Raises OperationError."""
        with self._writing() as connection:
            return _append(connection, case_id, created, None, annotator).stored

    def operations(
        self, case_id: int, since: int = 0, limit: int | None = None, *, masks: bool = True
    ) -> list[StoredOperation]:
        """The log after a revision, in order. Without `masks`, an empty one stands for each that there is."""
        kept: list[ColumnElement[Any]] = [column for column in operations.c if masks or column.name != "masks"]
        columns = kept if masks else [*kept, operations.c.masks.is_not(None).label("has_masks")]
        chosen = and_(operations.c.case_id == case_id, operations.c.revision > since)
        query = select(*columns).where(chosen).order_by(operations.c.revision).limit(limit)
        with reading(self.engine) as connection:
            _head(connection, case_id)
            return [rows.stored_operation(row) for row in connection.execute(query).mappings()]

    def comments(self, case_id: int) -> list[Comment]:
        """The comments on a case, oldest first."""
        query = select(comments).where(comments.c.case_id == case_id).order_by(comments.c.id)
        with reading(self.engine) as connection:
            _head(connection, case_id)
            found = connection.execute(query)
            return [Comment(row.id, row.annotator, row.text, row.time) for row in found]

    def add_comment(self, case_id: int, annotator: str, text: str) -> Comment:
        """Adds a comment. Raises ValueError for one that is empty or too long."""
        # PostgreSQL cannot store NUL, and nobody writes it.
        text = text.replace("\0", "").strip()
        if not text or len(text) > MAX_COMMENT_LENGTH:
            raise ValueError(f"a comment has 1 to {MAX_COMMENT_LENGTH} characters")
        now = _now()
        values = {"case_id": case_id, "annotator": annotator, "text": text, "time": now}
        with self._writing() as connection:
            _head(connection, case_id)
            key = connection.execute(insert(comments).values(**values)).inserted_primary_key
            assert key is not None
        return Comment(int(key[0]), annotator, text, now)

    def add_time(
        self, case_id: int, annotator: str, reported: Sequence[Interval], idle_seconds: float = IDLE_SECONDS
    ) -> None:
        """Adds active time. Of each interval no more than `idle_seconds` counts, and time that is there counts
        once: two tabs of one annotator, or a report sent again, add nothing."""
        if not reported:
            return
        spans = [counted(interval, idle_seconds) for interval in reported]
        earliest, latest = min(span.start for span in spans), max(span.stop for span in spans)
        overlapping = and_(
            intervals.c.annotator == annotator, intervals.c.start < latest, intervals.c.stop > earliest
        )
        with self._writing() as connection:
            _head(connection, case_id)
            if connection.dialect.name == "postgresql":
                # Rows that do not exist yet cannot be locked, and two reports at once must not both add them.
                connection.exec_driver_sql("LOCK TABLE intervals IN SHARE ROW EXCLUSIVE MODE")
            known = connection.execute(select(intervals.c.start, intervals.c.stop).where(overlapping))
            taken = [Span(start, stop) for start, stop in known]
            own = {"case_id": case_id, "annotator": annotator}
            fresh = [
                own | {"tool": interval.tool, "object_id": interval.object, "start": part.start, "stop": part.stop}
                for interval, part in fresh_parts(reported, taken, idle_seconds)
            ]
            if fresh:
                connection.execute(insert(intervals), fresh)

    def active_times(self, case_id: int | None = None) -> list[ActiveTime]:
        """The active time of a case, or of all, by start."""
        query = select(intervals).order_by(intervals.c.start)
        if case_id is not None:
            query = query.where(intervals.c.case_id == case_id)
        with reading(self.engine) as connection:
            return [
                ActiveTime(row.case_id, row.annotator, row.tool, row.object_id, row.start, row.stop)
                for row in connection.execute(query)
            ]

    def set_uncertainty(self, case_id: int, value: float) -> None:
        """Keeps how unsure the model is of a case; what is no finite number becomes unknown."""
        kept = float(value) if math.isfinite(value) else None
        with self._writing() as connection:
            done = connection.execute(update(cases).where(cases.c.id == case_id).values(uncertainty=kept))
            if not done.rowcount:
                raise _not_found(case_id)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with writing(self.engine) as connection:
                yield connection
        except (SQLAlchemyError, OSError) as fault:
            if not is_disk_full(fault):
                raise
            raise StorageFull("the disk of the labelling database is full; nothing was stored, make room") from None


def _append(
    connection: Connection, case_id: int, sent: Sequence[Operation], expected: int | None, annotator: str
) -> Appended:
    # The lock holds until the commit: a second writer waits here, and then sees this one's revision.
    head = _head(connection, case_id, lock=True)
    revision = int(head["revision"])
    unique = {operation.id: operation for operation in sent}
    known = _known(connection, case_id, list(unique))
    fresh = [operation for id, operation in unique.items() if id not in known]
    if not fresh:
        return Appended(revision, 0)
    if expected is not None:
        # Those stored since `expected` that the request itself repeats are the sender's own: the answer was lost.
        own = sum(stored > expected for stored in known.values())
        if revision - expected != own:
            raise RevisionConflict(revision)
    check_masks(fresh, head["height"], head["width"])
    received = _now()
    stored = [StoredOperation(op, revision + n, annotator, received) for n, op in enumerate(fresh, start=1)]
    before = _objects(connection, case_id, _named(fresh))
    after = CaseState(revision, head["status"], before)
    for operation in stored:
        after = fold(after, operation)
    connection.execute(insert(operations), [rows.operation_row(case_id, operation) for operation in stored])
    fresh_objects = [rows.object_row(case_id, state) for id, state in after.objects.items() if id not in before]
    if fresh_objects:
        connection.execute(insert(objects), fresh_objects)
    for id, state in before.items():
        if after.objects[id] is not state:
            chosen = and_(objects.c.case_id == case_id, objects.c.id == id)
            connection.execute(update(objects).where(chosen).values(rows.object_row(case_id, after.objects[id])))
    changed = {"revision": after.revision, "status": after.status, "updated": received}
    connection.execute(update(cases).where(cases.c.id == case_id).values(**changed))
    return Appended(after.revision, len(fresh))


def _named(sent: Sequence[Operation]) -> set[str]:
    """The objects that operations touch or name as a parent."""
    ids = {operation.object for operation in sent} | {getattr(op.data, "parent", None) for op in sent}
    return {id for id in ids if id is not None}


def _known(connection: Connection, case_id: int, ids: Sequence[str]) -> dict[str, int]:
    """Revision by id, of those operations that are stored."""
    found: dict[str, int] = {}
    for part in _parts(ids):
        chosen = and_(operations.c.case_id == case_id, operations.c.id.in_(part))
        stored = connection.execute(select(operations.c.id, operations.c.revision).where(chosen))
        found |= {row.id: row.revision for row in stored}
    return found


def _head(connection: Connection, case_id: int, lock: bool = False) -> RowMapping:
    """The case's own row. SQLite passes over the lock: there a writing transaction is alone from its start."""
    query = select(cases).where(cases.c.id == case_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise _not_found(case_id)
    return row


def _state(connection: Connection, head: RowMapping) -> CaseState:
    query = select(objects).where(objects.c.case_id == head["id"]).order_by(objects.c.created)
    found = [rows.object_state(row) for row in connection.execute(query).mappings()]
    return CaseState(head["revision"], head["status"], {state.id: state for state in found})


def _objects(connection: Connection, case_id: int, ids: set[str]) -> dict[str, ObjectState]:
    found: list[ObjectState] = []
    for part in _parts(sorted(ids)):
        chosen = and_(objects.c.case_id == case_id, objects.c.id.in_(part))
        found += [rows.object_state(row) for row in connection.execute(select(objects).where(chosen)).mappings()]
    return {state.id: state for state in sorted(found, key=lambda state: state.created)}


def _listing() -> Any:
    """Cases with their counts, in one statement however many there are."""
    present = select(objects.c.case_id, func.count().label("objects")).where(~objects.c.deleted)
    counted = present.group_by(objects.c.case_id).subquery()
    said = select(comments.c.case_id, func.count().label("comments")).group_by(comments.c.case_id).subquery()
    seconds = func.sum(intervals.c.stop - intervals.c.start).label("active_seconds")
    worked = select(intervals.c.case_id, seconds).group_by(intervals.c.case_id).subquery()
    return (
        select(cases, counted.c.objects, said.c.comments, worked.c.active_seconds)
        .outerjoin(counted, counted.c.case_id == cases.c.id)
        .outerjoin(said, said.c.case_id == cases.c.id)
        .outerjoin(worked, worked.c.case_id == cases.c.id)
        .where(cases.c.present)
    )


def _case(row: RowMapping) -> Case:
    return Case(
        id=row["id"],
        name=row["name"],
        width=row["width"],
        height=row["height"],
        bits=row["bits"],
        status=row["status"],
        revision=row["revision"],
        uncertainty=row["uncertainty"],
        updated=row["updated"],
        objects=row["objects"] or 0,
        comments=row["comments"] or 0,
        active_seconds=float(row["active_seconds"] or 0.0),
    )


def _parts(ids: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (ids[at : at + IDS_AT_ONCE] for at in range(0, len(ids), IDS_AT_ONCE))


def _not_found(case_id: int) -> CaseNotFound:
    return CaseNotFound(f"no case has the id {case_id}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
