"""Conversion of operations and object states to rows of the database, and back."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dentasam.labelling.log.database.checksums import is_whole, masks_checksum, row_checksum
from dentasam.labelling.log.fold import ObjectState
from dentasam.labelling.log.operations import (
    OperationError,
    StoredOperation,
    document_of,
    masks_of,
    parse_operation,
)
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.wire.envelope import EnvelopeError, pack, unpack

# One line on stderr, where `--traceback` adds the traceback.
log = logging.getLogger("dentasam.data.notices")
_PLAIN_COLUMNS = (
    "id",
    "category",
    "parent",
    "locked",
    "accepted",
    "deleted",
    "source",
    "prompts",
    "model",
    "area",
    "created",
    "revision",
    "annotator",
    "confidence",
)


class DamagedRow(ValueError):
    """A row is not as it was written."""


def sealed(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """The row of a table with its checksum."""
    return row | {"checksum": row_checksum(table, row)}


def operation_row(case_id: int, stored: StoredOperation) -> dict[str, Any]:
    """The row of the table `operations`."""
    operation = stored.operation
    found = masks_of(operation)
    masks = pack(found) if found else None
    row = {
        "case_id": case_id,
        "revision": stored.revision,
        "id": operation.id,
        "kind": operation.kind,
        "object_id": operation.object,
        "undoes": operation.undoes,
        "time": operation.time,
        "data": document_of(operation)["data"],
        "masks": masks,
        "masks_checksum": masks_checksum(masks),
        "annotator": stored.annotator,
        "received": stored.received,
    }
    return sealed("operations", row)


def stored_operation(row: Mapping[str, Any]) -> StoredOperation:
    """The operation of a row. Where the row was read without the column `masks`, an empty one stands for each.

    Raises DamagedRow.
    """
    if not is_whole("operations", row):
        raise DamagedRow("its row does not have its checksum")
    try:
        return _operation(row)
    except (EnvelopeError, OperationError) as error:
        raise _unreadable(error) from error


def _unreadable(error: ValueError) -> DamagedRow:
    """The row has its checksum, so that it was written like this: that is logged as an error of this program."""
    log.warning("a row of the database is whole and cannot be read (%s)", error, exc_info=error)
    return DamagedRow(str(error))


def _operation(row: Mapping[str, Any]) -> StoredOperation:
    document = {"id": row["id"], "kind": row["kind"], "object": row["object_id"], "time": row["time"]}
    document["data"] = row["data"]
    if row["undoes"] is not None:
        document["undoes"] = row["undoes"]
    if "masks" not in row:
        document |= {} if row["masks_checksum"] is None else {"mask": BoxMask.empty()}
    elif row["masks"] is not None:
        document |= unpack(row["masks"])
    return StoredOperation(parse_operation(document), row["revision"], row["annotator"], row["received"])


def object_row(case_id: int, state: ObjectState) -> dict[str, Any]:
    """The row of the table `objects`."""
    masks = {"mask": state.mask, "painted": state.painted, "erased": state.erased}
    row = {"case_id": case_id, "masks": pack(masks)} | {key: getattr(state, key) for key in _PLAIN_COLUMNS}
    return sealed("objects", row | {"touches": list(state.touches) or None, "proposed": state.proposed})


def object_state(row: Mapping[str, Any]) -> ObjectState:
    """The object of a row of the table `objects`. Raises DamagedRow."""
    if not is_whole("objects", row):
        raise DamagedRow("its row does not have its checksum")
    try:
        masks = unpack(row["masks"])
    except EnvelopeError as error:
        raise _unreadable(error) from error
    plain = {key: row[key] for key in _PLAIN_COLUMNS}
    return ObjectState(**plain, touches=tuple(row["touches"] or ()), **masks)


def utc_now() -> str:
    """The server's clock as it is stored: ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
