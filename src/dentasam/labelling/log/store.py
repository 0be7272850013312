"""The cases of a workspace in its database: an append-only log for each case, and the state it adds up to.

Any number of threads and, with PostgreSQL, of servers may use one database. Every change is one transaction: it is
stored as a whole when the call returns, or not at all.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dentasam.errors import WorkspaceError
from dentasam.labelling.log.active_time import ActiveTime, Interval, insert_active_time, read_active_times
from dentasam.labelling.log.append import Appended, append_operations, change_objects, propose_operations
from dentasam.labelling.log.cases import Case, CaseNotFound, case_row, read_case, read_cases, sync_cases
from dentasam.labelling.log.comments import Comment, insert_comment, plain_text, read_comments
from dentasam.labelling.log.database.damage import Damage, DamagedData, naming
from dentasam.labelling.log.database.failures import is_disk_full
from dentasam.labelling.log.database.known_damage import KnownDamage, Part
from dentasam.labelling.log.database.stored_values import share
from dentasam.labelling.log.database.tables import cases
from dentasam.labelling.log.database.transactions import reading, writing
from dentasam.labelling.log.fold import CaseState, ObjectState
from dentasam.labelling.log.operations import MODEL_ANNOTATOR, Operation, StoredOperation
from dentasam.labelling.log.read import CheckedLog, Row, read_log, read_objects, read_operations, read_state
from dentasam.labelling.log.rebuild import rebuild_case
from dentasam.labelling.workspace.workspace import CaseImage

IDLE_SECONDS = 30.0
Result = TypeVar("Result")
# What was rebuilt is a notice of the command, like what was assumed about an image.
log = logging.getLogger("dentasam.data.notices")


class StorageFull(WorkspaceError):
    """The database's disk is full; nothing of the change was stored."""


class PendingObjects(Protocol):
    """Objects that are not in the database yet; each method returns when those of the case, or all, are."""

    def bring(self, case_id: int) -> None: ...

    def bring_all(self) -> None: ...


class Store:
    """The cases in one database.

    Methods with a `case_id` raise CaseNotFound for an unknown case, and DamagedData, which names it, where what they
    read is damaged and does not follow from the log; those that write raise StorageFull, and all raise StorageBusy
    where others hold the database for half a minute.
    """

    def __init__(self, engine: Engine, pending: PendingObjects | None = None) -> None:
        """pending: objects that cases get when they are first used."""
        self.engine, self._pending = engine, pending
        self.known_damage = KnownDamage()

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
        """All cases whose image is present, sorted by name. One whose row cannot be rebuilt is marked as damaged."""
        found = self._reading_of(f"the worklist in {self._place}", read_cases)
        rebuilt = [self._rebuild(case.id) for case in found if case.damaged]
        return self._reading_of(f"the worklist in {self._place}", read_cases) if any(rebuilt) else found

    def case(self, case_id: int) -> Case:
        """One case whose image is present."""
        self._use(case_id)
        return self._read(case_id, lambda connection, row: read_case(connection, case_id))

    def state(self, case_id: int) -> CaseState:
        """What the log of the case adds up to, without reading the log.

        A damaged object is rebuilt from the log; where the log is damaged too, it is listed as damaged.
        """
        self._use(case_id)
        try:
            state = self._read(case_id, read_state)
        except DamagedData:
            state = self._read(case_id, lambda connection, row: read_state(connection, row, whole=False))
        self.known_damage.note(case_id, "objects", bool(state.damaged))
        return state

    def objects_of(self, case_id: int, ids: Iterable[str]) -> list[ObjectState]:
        """The states of some objects of a case; unknown ids are left out."""
        self._use(case_id)
        return self._read(case_id, lambda connection, row: list(read_objects(connection, row, set(ids)).values()))

    def operations(
        self, case_id: int, since: int = 0, limit: int | None = None, *, masks: bool = True
    ) -> list[StoredOperation]:
        """The log after the revision `since`, at most `limit` operations, in order.

        Where `masks` is False, an empty mask stands for each that an operation has.
        """
        self._use(case_id)
        found = self._read(
            case_id, lambda connection, row: read_operations(connection, row, since, limit, masks), "log"
        )
        if masks and since == 0 and limit is None:
            self.known_damage.note(case_id, "log", False)
        return found

    def checked_log(self, case_id: int) -> CheckedLog:
        """The whole log as far as it is whole, without masks, and what of it is damaged."""
        self._use(case_id)
        log = self._read(case_id, lambda connection, row: read_log(connection, row, masks=False), "log")
        if log.damages:
            self.known_damage.note(case_id, "log", True)
        return log

    def append(self, case_id: int, operations: Sequence[Operation], expected: int, annotator: str) -> Appended:
        """Adds operations to the log in one transaction.

        expected: the revision that the sender last saw. Operations that are stored already are skipped, so that a
        request may be sent again with the revision it had. Raises RevisionConflict where others have appended since
        that revision, OperationError where an operation makes no sense on the case; then none is stored.
        """
        self._use(case_id)
        return self._write(
            case_id, lambda connection: append_operations(connection, case_id, operations, expected, annotator)
        )

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
        return self._write(
            case_id, lambda connection: propose_operations(connection, case_id, chart, make, MODEL_ANNOTATOR)
        )

    def withdraw(self, case_id: int, ids: Collection[str], make: Callable[[CaseState], Sequence[Operation]]) -> None:
        """Takes back some of these proposals of the model. Raises OperationError.

        make: the operations for the case's state, of which it is given these objects alone.
        """
        self._use(case_id)
        self._write(case_id, lambda connection: change_objects(connection, case_id, ids, make, MODEL_ANNOTATOR))

    def comments(self, case_id: int, damages: list[Damage] | None = None) -> list[Comment]:
        """The comments on a case, oldest first. What of them is damaged is added to `damages`."""
        met: list[Damage] = []
        found = self._read(case_id, lambda connection, row: read_comments(connection, row, met), "comments")
        self.known_damage.note(case_id, "comments", bool(met))
        if damages is not None:
            damages += met
        return found

    def add_comment(self, case_id: int, annotator: str, text: str) -> Comment:
        """Adds a comment. Raises ValueError for one that is empty or too long."""
        text = plain_text(text)
        return self._write(
            case_id,
            lambda connection: insert_comment(connection, case_row(connection, case_id, lock=True), annotator, text),
        )

    def add_time(
        self, case_id: int, annotator: str, reported: Sequence[Interval], idle_seconds: float = IDLE_SECONDS
    ) -> None:
        """Adds active time; seconds of this annotator that are stored already are not counted again.

        So two tabs of one annotator, or a report that is sent twice, add nothing. Of each interval no more than
        `idle_seconds` counts.
        """
        if not reported:
            return
        with self._writing(case_id) as connection:
            case_row(connection, case_id)
            insert_active_time(connection, case_id, annotator, reported, idle_seconds)

    def active_times(self, case_id: int | None = None, damages: list[Damage] | None = None) -> list[ActiveTime]:
        """The active time of a case, or of all cases, sorted by start. What is damaged is added to `damages`."""
        what = f"the active time in {self._place}"
        return self._reading_of(what, lambda connection: read_active_times(connection, case_id, damages))

    def set_uncertainty(self, case_id: int, value: float) -> None:
        """Stores how uncertain the model is of a case, 0 to 1; anything else is stored as unknown."""
        stored = share(float(value))
        with self._writing() as connection:
            done = connection.execute(update(cases).where(cases.c.id == case_id).values(uncertainty=stored))
            if not done.rowcount:
                raise CaseNotFound(case_id)

    def _reading_of(self, what: str | int, work: Callable[[Connection], Result]) -> Result:
        """What `work` reads; what: a case's id, or a name for an error."""
        with naming(lambda: what if isinstance(what, str) else self._name(what)), reading(self.engine) as connection:
            return work(connection)

    def _read(self, case_id: int, work: Callable[[Connection, Row], Result], part: Part = "objects") -> Result:
        """What `work` reads of a part of the case and its row; where that is damaged, again after a rebuild."""

        def once() -> Result:
            return self._reading_of(case_id, lambda connection: work(connection, case_row(connection, case_id)))

        return self._with_rebuild(case_id, once, part)

    def _write(self, case_id: int, work: Callable[[Connection], Result]) -> Result:
        """What `work` returns, in one transaction; where the case is damaged, in another one after a rebuild."""

        def once() -> Result:
            with self._writing(case_id) as connection:
                return work(connection)

        return self._with_rebuild(case_id, once)

    def _with_rebuild(self, case_id: int, once: Callable[[], Result], part: Part = "objects") -> Result:
        """What `once` returns; where the case is damaged, once more after a rebuild that changed something."""
        try:
            try:
                return once()
            except DamagedData:
                if not self._rebuild(case_id):
                    raise
            return once()
        except DamagedData:
            self.known_damage.note(case_id, part, True)
            raise

    def _rebuild(self, case_id: int) -> bool:
        """Rebuilds what is damaged of a case and follows from its log, with a notice; False where that is nothing."""
        try:
            with self._writing() as connection:
                lines = rebuild_case(connection, case_id)
        except (DBAPIError, WorkspaceError):
            return False
        for line in lines:
            log.warning("%s", line)
        return bool(lines)

    @property
    def _place(self) -> str:
        """The database in errors: the name of its file."""
        url = self.engine.url
        return Path(url.database).name if url.get_backend_name() == "sqlite" and url.database else "the database"

    def _name(self, case_id: int | None) -> str:
        """The name of a case for an error, as far as it can be read."""
        if case_id is None:
            return self._place
        with suppress(SQLAlchemyError), reading(self.engine) as connection:
            return str(connection.scalar(select(cases.c.name).where(cases.c.id == case_id)))
        return f"case {case_id}"

    @contextmanager
    def _writing(self, case_id: int | None = None) -> Iterator[Connection]:
        try:
            with naming(lambda: self._name(case_id)), writing(self.engine) as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            if is_disk_full(error):
                raise StorageFull(
                    "the disk of the labelling database is full; nothing was stored, make room"
                ) from None
            raise
