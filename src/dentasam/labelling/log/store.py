"""The cases of a workspace in its database: an append-only log for each case, and the state it adds up to.

Any number of threads and, with PostgreSQL, of servers may use one database. Every change is one transaction: it is
stored as a whole when the call returns, or not at all.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from sqlalchemy import Connection, Engine, update
from sqlalchemy.exc import SQLAlchemyError

from dentasam.errors import WorkspaceError
from dentasam.labelling.log import database
from dentasam.labelling.log.active_time import ActiveTime, Interval, insert_active_time, read_active_times
from dentasam.labelling.log.append import Appended, append_operations, change_objects, propose_operations
from dentasam.labelling.log.cases import Case, CaseNotFound, case_row, read_case, read_cases, sync_cases
from dentasam.labelling.log.comments import Comment, insert_comment, plain_text, read_comments
from dentasam.labelling.log.database import cases, is_busy, is_disk_full, writing
from dentasam.labelling.log.fold import CaseState, ObjectState
from dentasam.labelling.log.operations import MODEL_ANNOTATOR, Operation, StoredOperation
from dentasam.labelling.log.read import read_objects, read_operations, read_state
from dentasam.labelling.workspace.workspace import CaseImage

IDLE_SECONDS = 30.0


class StorageFull(WorkspaceError):
    """The database's disk is full; nothing of the change was stored."""


class StorageBusy(WorkspaceError):
    """Others hold the database for too long; nothing was stored, and the same request may be sent again."""

    headers: Final = {"Retry-After": "2"}


class PendingObjects(Protocol):
    """Objects that are not in the database yet; each method returns when those of the case, or all, are."""

    def bring(self, case_id: int) -> None: ...

    def bring_all(self) -> None: ...


class Store:
    """The cases in one database.

    Methods with a `case_id` raise CaseNotFound for an unknown case; those that write raise StorageFull, and all raise
    StorageBusy where others hold the database for half a minute.
    """

    def __init__(self, engine: Engine, pending: PendingObjects | None = None) -> None:
        """pending: objects that cases get when they are first used."""
        self.engine, self._pending = engine, pending

    def complete(self) -> None:
        """Waits until every case has the objects that it gets at its first use."""
        if self._pending is not None:
            self._pending.bring_all()

    def _use(self, case_id: int) -> None:
        if self._pending is not None:
            self._pending.bring(case_id)

    def sync_cases(self, images: Sequence[CaseImage]) -> list[str]:
        """Adds a case for each new image, and hides the cases whose image is missing; their labels are kept.

        Returns a line for each image that is left out because it does not have the size at which it was labelled.
        """
        with self._writing() as connection:
            return sync_cases(connection, images)

    def cases(self) -> list[Case]:
        """All cases whose image is present, sorted by name."""
        with reading(self.engine) as connection:
            return read_cases(connection)

    def case(self, case_id: int) -> Case:
        """One case whose image is present."""
        self._use(case_id)
        with reading(self.engine) as connection:
            return read_case(connection, case_id)

    def state(self, case_id: int) -> CaseState:
        """What the log of the case adds up to, without reading the log."""
        self._use(case_id)
        with reading(self.engine) as connection:
            return read_state(connection, case_row(connection, case_id))

    def objects_of(self, case_id: int, ids: Iterable[str]) -> list[ObjectState]:
        """The states of some objects of a case; unknown ids are left out."""
        self._use(case_id)
        with reading(self.engine) as connection:
            case_row(connection, case_id)
            return list(read_objects(connection, case_id, set(ids)).values())

    def operations(
        self, case_id: int, since: int = 0, limit: int | None = None, *, masks: bool = True
    ) -> list[StoredOperation]:
        """The log after the revision `since`, at most `limit` operations, in order.

        Where `masks` is False, an empty mask stands for each that an operation has.
        """
        self._use(case_id)
        with reading(self.engine) as connection:
            case_row(connection, case_id)
            return read_operations(connection, case_id, since, limit, masks)

    def append(self, case_id: int, operations: Sequence[Operation], expected: int, annotator: str) -> Appended:
        """Adds operations to the log in one transaction.

        expected: the revision that the sender last saw. Operations that are stored already are skipped, so that a
        request may be sent again with the revision it had. Raises RevisionConflict where others have appended since
        that revision, OperationError where an operation makes no sense on the case; then none is stored.
        """
        self._use(case_id)
        with self._writing() as connection:
            return append_operations(connection, case_id, operations, expected, annotator)

    def import_objects(self, created: Mapping[int, Sequence[Operation]], annotator: str) -> int:
        """Adds operations to cases, whatever their revisions, in one transaction; returns how many were new.

        created: the operations by the case's id. Raises OperationError.
        """
        for case_id in created:
            self._use(case_id)
        with self._writing() as connection:
            return sum(
                append_operations(connection, case_id, operations, None, annotator).stored
                for case_id, operations in created.items()
            )

    def propose(
        self, case_id: int, chart: str, make: Callable[[CaseState], Sequence[Operation] | None]
    ) -> Appended | None:
        """Adds the model's proposals to a case, and takes back old ones, in one transaction.

        chart: which picture and model they are from; None is returned where the case has those already. make: the
        operations for the case's state, or None where it gets no proposals now; nobody can change the case while it
        runs. Raises OperationError.
        """
        self._use(case_id)
        with self._writing() as connection:
            return propose_operations(connection, case_id, chart, make, MODEL_ANNOTATOR)

    def withdraw(self, case_id: int, ids: Collection[str], make: Callable[[CaseState], Sequence[Operation]]) -> None:
        """Takes back some of these proposals of the model. Raises OperationError.

        make: the operations for the case's state, of which it is given these objects alone.
        """
        self._use(case_id)
        with self._writing() as connection:
            change_objects(connection, case_id, ids, make, MODEL_ANNOTATOR)

    def comments(self, case_id: int) -> list[Comment]:
        """The comments on a case, oldest first."""
        with reading(self.engine) as connection:
            case_row(connection, case_id)
            return read_comments(connection, case_id)

    def add_comment(self, case_id: int, annotator: str, text: str) -> Comment:
        """Adds a comment. Raises ValueError for one that is empty or too long."""
        text = plain_text(text)
        with self._writing() as connection:
            case_row(connection, case_id)
            return insert_comment(connection, case_id, annotator, text)

    def add_time(
        self, case_id: int, annotator: str, reported: Sequence[Interval], idle_seconds: float = IDLE_SECONDS
    ) -> None:
        """Adds active time; seconds of this annotator that are stored already are not counted again.

        So two tabs of one annotator, or a report that is sent twice, add nothing. Of each interval no more than
        `idle_seconds` counts.
        """
        if not reported:
            return
        with self._writing() as connection:
            case_row(connection, case_id)
            insert_active_time(connection, case_id, annotator, reported, idle_seconds)

    def active_times(self, case_id: int | None = None) -> list[ActiveTime]:
        """The active time of a case, or of all cases, sorted by start."""
        with reading(self.engine) as connection:
            return read_active_times(connection, case_id)

    def set_uncertainty(self, case_id: int, value: float) -> None:
        """Stores how uncertain the model is of a case; NaN and infinities are stored as unknown."""
        stored = float(value) if math.isfinite(value) else None
        with self._writing() as connection:
            done = connection.execute(update(cases).where(cases.c.id == case_id).values(uncertainty=stored))
            if not done.rowcount:
                raise CaseNotFound(case_id)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with writing(self.engine) as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            if is_disk_full(error):
                raise StorageFull(
                    "the disk of the labelling database is full; nothing was stored, make room"
                ) from None
            _raise_if_busy(error)
            raise


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """`database.reading`. Raises StorageBusy where others hold the database for too long."""
    try:
        with database.reading(engine) as connection:
            yield connection
    except SQLAlchemyError as error:
        _raise_if_busy(error)
        raise


def _raise_if_busy(error: Exception) -> None:
    if is_busy(error):
        raise StorageBusy("the labelling database is busy; nothing was stored, try again in a few seconds") from None
