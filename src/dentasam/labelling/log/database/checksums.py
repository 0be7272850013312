"""A checksum for each row that holds work, so that a damaged row is found when it is read.

It is the first eight bytes of BLAKE2b over the row's columns as one canonical JSON text, and over its masks as they
are stored. The columns include the row's keys: a row in the place of another one is not taken for it. Reasons for
BLAKE2b-64 over CRC-32: four billion times fewer pages of random bytes pass, at the same cost for rows of this size.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

SEALED: dict[str, tuple[str, ...]] = {
    "cases": (
        *("id", "name", "width", "height", "bits", "status", "revision", "missing", "object_rows"),
        "comment_rows",
    ),
    # `masks_checksum` stands for the masks, so that the log can be checked without reading them.
    "operations": (
        *("case_id", "revision", "id", "kind", "object_id", "undoes", "time", "data", "masks_checksum"),
        *("annotator", "received"),
    ),
    "objects": (
        *("case_id", "id", "category", "parent", "locked", "accepted", "deleted", "source", "prompts", "model"),
        *("area", "created", "revision", "annotator", "confidence", "touches", "proposed"),
    ),
    "comments": ("case_id", "annotator", "text", "time"),
    "intervals": ("case_id", "annotator", "tool", "object_id", "start", "stop"),
}
# Tables whose masks are read whenever their rows are.
WITH_MASKS = frozenset({"objects"})
FLOATS = frozenset({"confidence", "start", "stop"})
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def checksum(table: str, columns: Sequence[str], row: Mapping[str, Any], masks: bytes = b"") -> int:
    """The checksum, a signed integer of 64 bits, of these columns of a row. Raises KeyError for an absent column."""
    values = [row[column] for column in columns]
    for place, column in enumerate(columns):
        if column in FLOATS and values[place] is not None:
            values[place] = float(values[place])
    digest = blake2b(_canonical([table, *values]).encode("ascii"), digest_size=8)
    digest.update(masks)
    return int.from_bytes(digest.digest(), "little", signed=True)


def masks_checksum(masks: bytes | None) -> int | None:
    """The checksum of an operation's masks, None where it has none."""
    return None if masks is None else int.from_bytes(blake2b(masks, digest_size=8).digest(), "little", signed=True)


def row_checksum(table: str, row: Mapping[str, Any]) -> int:
    """The checksum that belongs to a row of the table."""
    return checksum(table, SEALED[table], row, row["masks"] if table in WITH_MASKS else b"")


def is_whole(table: str, row: Mapping[str, Any]) -> bool:
    """Whether a row is as it was written. An operation's masks are checked only where they are among its columns."""
    try:
        if table == "operations" and "masks" in row and masks_checksum(row["masks"]) != row["masks_checksum"]:
            return False
        return row["checksum"] == row_checksum(table, row)
    except (KeyError, TypeError, ValueError):
        # A column that is absent or of another type: damage can change the type of a value in SQLite.
        return False
