"""Reads what is stored of a case: its state, single objects, and its log."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, select

from dentasam.labelling.log import rows
from dentasam.labelling.log.database import batches, objects, operations
from dentasam.labelling.log.fold import CaseState, ObjectState
from dentasam.labelling.log.operations import StoredOperation


def read_state(connection: Connection, case: RowMapping) -> CaseState:
    """The state of a case from its row and its objects' rows, without reading its log."""
    query = select(objects).where(objects.c.case_id == case["id"]).order_by(objects.c.created)
    found = [rows.object_state(row) for row in connection.execute(query).mappings()]
    by_id = {state.id: state for state in found}
    return CaseState(case["revision"], case["status"], by_id, tuple(case["missing"] or ()))


def read_objects(connection: Connection, case_id: int, ids: Iterable[str]) -> dict[str, ObjectState]:
    """The states of these objects of a case by id, in the order they were created; unknown ids are left out."""
    found: list[ObjectState] = []
    for batch in batches(sorted(ids)):
        chosen = and_(objects.c.case_id == case_id, objects.c.id.in_(batch))
        found += [rows.object_state(row) for row in connection.execute(select(objects).where(chosen)).mappings()]
    return {state.id: state for state in sorted(found, key=lambda state: state.created)}


def read_operations(
    connection: Connection, case_id: int, since: int, limit: int | None, masks: bool
) -> list[StoredOperation]:
    """The operations of a case after the revision `since`, at most `limit`, in order.

    Where `masks` is False, an empty mask stands for each that an operation has.
    """
    kept: list[ColumnElement[Any]] = [column for column in operations.c if masks or column.name != "masks"]
    columns = kept if masks else [*kept, operations.c.masks.is_not(None).label("has_masks")]
    chosen = and_(operations.c.case_id == case_id, operations.c.revision > since)
    query = select(*columns).where(chosen).order_by(operations.c.revision).limit(limit)
    return [rows.stored_operation(row) for row in connection.execute(query).mappings()]
