"""Conversion of operations and object states to rows of the database, and back."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping

from dentasam.labelling.log.fold import ObjectState
from dentasam.labelling.log.operations import (
    StoredOperation,
    document_of,
    masks_of,
    parse_operation,
)
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.wire.envelope import pack, unpack

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


def operation_row(case_id: int, stored: StoredOperation) -> dict[str, Any]:
    """The row of the table `operations`."""
    operation = stored.operation
    masks = masks_of(operation)
    return {
        "case_id": case_id,
        "revision": stored.revision,
        "id": operation.id,
        "kind": operation.kind,
        "object_id": operation.object,
        "undoes": operation.undoes,
        "time": operation.time,
        "data": document_of(operation)["data"],
        "masks": pack(masks) if masks else None,
        "annotator": stored.annotator,
        "received": stored.received,
    }


def stored_operation(row: RowMapping) -> StoredOperation:
    """The operation of a row. Where the row was read without its masks, an empty one stands for each.

    Such a row has the column `has_masks` in place of `masks`.
    """
    document = {"id": row["id"], "kind": row["kind"], "object": row["object_id"], "time": row["time"]}
    document["data"] = row["data"]
    if row["undoes"] is not None:
        document["undoes"] = row["undoes"]
    if "masks" not in row:
        document |= {"mask": BoxMask.empty()} if row["has_masks"] else {}
    elif row["masks"] is not None:
        document |= unpack(row["masks"])
    return StoredOperation(parse_operation(document), row["revision"], row["annotator"], row["received"])


def object_row(case_id: int, state: ObjectState) -> dict[str, Any]:
    """The row of the table `objects`."""
    masks = {"mask": state.mask, "painted": state.painted, "erased": state.erased}
    row = {"case_id": case_id, "masks": pack(masks)} | {key: getattr(state, key) for key in _PLAIN_COLUMNS}
    return row | {"touches": list(state.touches) or None, "proposed": state.proposed}


def object_state(row: RowMapping) -> ObjectState:
    """The object of a row of the table `objects`."""
    plain = {key: row[key] for key in _PLAIN_COLUMNS}
    return ObjectState(**plain, touches=tuple(row["touches"] or ()), **unpack(row["masks"]))


def utc_now() -> str:
    """The server's clock as it is stored: ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
