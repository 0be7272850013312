"""Reads what is stored of a case: its state, single objects, and its log. Each row is checked by its checksum."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Column, ColumnElement, Connection, Table, and_, select
from sqlalchemy.exc import DBAPIError

from dentasam.labelling.log import rows
from dentasam.labelling.log.database.damage import Damage, DamagedData, damaged_value, is_damage
from dentasam.labelling.log.database.tables import cases, objects, operations
from dentasam.labelling.log.database.transactions import batches
from dentasam.labelling.log.fold import CaseState, ObjectState
from dentasam.labelling.log.operations import StoredOperation

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CheckedLog:
    """The log of a case, as far as it is whole.

    damages: one for each damaged operation, and one for operations that are missing. objects: the ids of objects
    that damaged operations are about; None where some may be about any object.
    """

    operations: list[StoredOperation]
    damages: tuple[Damage, ...]
    objects: frozenset[str] | None

    @property
    def undamaged(self) -> list[StoredOperation]:
        """The operations that no damaged one can have a part in: of other objects, or none."""
        if self.objects is None:
            return []
        return [stored for stored in self.operations if stored.operation.object not in self.objects]


def read_state(connection: Connection, case: Row, *, whole: bool = True) -> CaseState:
    """The state of a case from its row and its objects' rows, without reading its log.

    Raises DamagedData for damaged objects; they are listed in `damaged` instead where `whole` is False.
    """
    found, damages = _objects(connection, case, objects.c.case_id == case["id"])
    missing = case["object_rows"] - len(found) - len(damages)
    if missing:
        damages.append(Damage(case["name"], _wrong_number(missing)))
    if damages and whole:
        raise DamagedData(damages)
    by_id = {state.id: state for state in sorted(found, key=lambda state: state.created)}
    return CaseState(case["revision"], case["status"], by_id, tuple(case["missing"] or ()), tuple(damages))


def read_objects(connection: Connection, case: Row, ids: Iterable[str]) -> dict[str, ObjectState]:
    """The states of these objects of a case by id, in the order they were created; unknown ids are left out.

    Raises DamagedData.
    """
    found: list[ObjectState] = []
    for batch in batches(sorted(ids)):
        read, damages = _objects(connection, case, and_(objects.c.case_id == case["id"], objects.c.id.in_(batch)))
        if damages:
            raise DamagedData(damages)
        found += read
    return {state.id: state for state in sorted(found, key=lambda state: state.created)}


def read_operations(
    connection: Connection, case: Row, since: int, limit: int | None, masks: bool
) -> list[StoredOperation]:
    """The operations of a case after the revision `since`, at most `limit`, in order.

    Where `masks` is False, an empty mask stands for each that an operation has. Raises DamagedData.
    """
    log = read_log(connection, case, since, limit, masks)
    if log.damages:
        raise DamagedData(log.damages)
    return log.operations


def read_log(
    connection: Connection, case: Row, since: int = 0, limit: int | None = None, masks: bool = True
) -> CheckedLog:
    """As `read_operations`, with what is damaged listed. That operations are missing is seen by the revisions."""
    columns = [column for column in operations.c if masks or column.name != "masks"]
    chosen = and_(operations.c.case_id == case["id"], operations.c.revision > since)
    found: list[StoredOperation] = []
    damages: list[Damage] = []
    affected: set[str] | None = set()
    last = since
    for row in read_rows(connection, operations, chosen, operations.c.revision, columns, limit):
        if not isinstance(row["revision"], int):
            # SQLite can hold a text in a column of numbers.
            damages.append(Damage(case["name"], "an operation's revision is damaged in its log"))
            affected = None
            continue
        gap = row["revision"] != last + 1
        last = row["revision"]
        try:
            found.append(rows.stored_operation(row))
        except rows.DamagedRow:
            object = row.get("object_id")
            damages.append(_damaged_operation(connection, case, row["revision"], object))
            affected = None if affected is None or not damages[-1].object else affected | {damages[-1].object}
        if gap:
            damages.append(Damage(case["name"], f"operations before {last} are missing in its log"))
            affected = None
    end = case["revision"] if limit is None else min(case["revision"], since + limit)
    if last < end:
        damages.append(Damage(case["name"], f"operations after {last} are missing in its log"))
        affected = None
    return CheckedLog(found, tuple(damages), None if affected is None else frozenset(affected))


def read_rows(
    connection: Connection,
    table: Table,
    chosen: ColumnElement[bool],
    key: Column[Any],
    columns: Sequence[ColumnElement[Any]] | None = None,
    limit: int | None = None,
) -> Iterator[Row]:
    """Rows in the order of `key`; of one that cannot be read the key alone, which no checksum fits."""
    last: Any = None
    wanted = select(table) if columns is None else select(*columns)
    try:
        query = wanted.where(chosen).order_by(key).limit(limit)
        result = connection.execute(query)
        names = list(result.keys())
        for values in result:
            # A row's columns are read several times, which plain dicts do much faster.
            row = dict(zip(names, values, strict=True))
            yield row
            last = row[key.name]
            limit = None if limit is None else limit - 1
        return
    except (ValueError, OverflowError, DBAPIError) as error:
        if not damaged_value(error):
            raise
    # The keys are read from their index, which damage in the table leaves as it is.
    chosen = chosen if last is None else and_(chosen, key > last)
    for value in connection.execute(select(key).where(chosen).order_by(key).limit(limit)).scalars().all():
        try:
            one = connection.execute(wanted.where(chosen, key == value)).mappings().first()
        except (ValueError, OverflowError, DBAPIError) as error:
            if not is_damage(error):
                raise
            one = None
        yield cast(Row, one) if one else {key.name: value}


def _objects(
    connection: Connection, case: Row, chosen: ColumnElement[bool]
) -> tuple[list[ObjectState], list[Damage]]:
    found: list[ObjectState] = []
    damages: list[Damage] = []
    for row in read_rows(connection, objects, chosen, objects.c.id):
        try:
            found.append(rows.object_state(row))
        except rows.DamagedRow:
            label = row.get("category")
            label = label if isinstance(label, str) else None
            damages.append(Damage(case["name"], "its row in the database is damaged", str(row["id"]), label))
    return found, damages


def _wrong_number(missing: int) -> str:
    """What is damaged where a case has fewer objects than its row says, or more: -`missing` more."""
    count = f"{abs(missing)} object{'' if abs(missing) == 1 else 's'}"
    if missing > 0:
        return f"{count} of it cannot be found in the database"
    return f"{count} more than it had {'is' if missing == -1 else 'are'} in the database; compare it with a backup"


def _damaged_operation(connection: Connection, case: Row, revision: int, object: object) -> Damage:
    """An operation's damage, under the name of its object where the case has an object of this id."""
    label = None
    known = False
    if isinstance(object, str):
        chosen = and_(objects.c.case_id == case["id"], objects.c.id == object)
        row = next(iter(read_rows(connection, objects, chosen, objects.c.id)), None)
        known, label = row is not None, row.get("category") if row else None
    what = f"its operation {revision} is damaged in the log"
    if not known:
        return Damage(case["name"], f"operation {revision} is damaged in the log")
    return Damage(case["name"], what, str(object), label if isinstance(label, str) else None)


def case_row_of(connection: Connection, case_id: int) -> Row | None:
    """The row of the table `cases`, whole or not; None where there is none."""
    return next(iter(read_rows(connection, cases, cases.c.id == case_id, cases.c.id)), None)
