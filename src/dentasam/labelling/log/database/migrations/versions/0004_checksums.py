"""A checksum for each row that holds work, and how many rows belong together."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import DBAPIError

from dentasam.labelling.log.database.checksums import checksum, masks_checksum

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ROWS_AT_ONCE = 500
# As the tables are at this revision, whatever later ones make of them.
KEYS = {
    "cases": ("id",),
    "operations": ("case_id", "revision"),
    "objects": ("case_id", "id"),
    "comments": ("id",),
    "intervals": ("id",),
}
SEALED = {
    "cases": (
        *("id", "name", "width", "height", "bits", "status", "revision", "missing", "object_rows"),
        "comment_rows",
    ),
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
TYPES: dict[str, Any] = {
    **dict.fromkeys(("missing", "data", "prompts", "model", "touches"), sa.JSON),
    **dict.fromkeys(("locked", "accepted", "deleted", "proposed"), sa.Boolean),
    **dict.fromkeys(("confidence", "start", "stop"), sa.Float),
    "masks": sa.LargeBinary,
}


def upgrade() -> None:
    """All in the one transaction of the start: a start that is killed leaves the database as it was."""
    op.add_column("workspace", sa.Column("case_rows", sa.Integer))
    op.add_column("workspace", sa.Column("kept", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("cases", sa.Column("object_rows", sa.Integer, nullable=False, server_default="0"))
    op.add_column("cases", sa.Column("comment_rows", sa.Integer, nullable=False, server_default="0"))
    op.add_column("operations", sa.Column("masks_checksum", sa.BigInteger))
    for table in SEALED:
        op.add_column(table, sa.Column("checksum", sa.BigInteger))
    connection = op.get_bind()
    for column, counted in (("object_rows", "objects"), ("comment_rows", "comments")):
        count = f"(SELECT count(*) FROM {counted} WHERE {counted}.case_id = cases.id)"
        connection.exec_driver_sql(f"UPDATE cases SET {column} = {count}")
    connection.exec_driver_sql("UPDATE workspace SET case_rows = (SELECT count(*) FROM cases)")
    for table in SEALED:
        _seal(connection, table)


def downgrade() -> None:
    for table in SEALED:
        op.drop_column(table, "checksum")
    op.drop_column("operations", "masks_checksum")
    op.drop_column("cases", "comment_rows")
    op.drop_column("cases", "object_rows")
    op.drop_column("workspace", "kept")
    op.drop_column("workspace", "case_rows")


def _seal(connection: sa.Connection, name: str) -> None:
    masks = ("masks",) if name in ("operations", "objects") else ()
    needed = dict.fromkeys((*KEYS[name], *SEALED[name], *masks))
    columns = [column for column in needed if column != "masks_checksum"]
    table = sa.table(name, *(sa.column(column, TYPES.get(column)) for column in columns), sa.column("checksum"))
    values: dict[str, Any] = {"checksum": sa.bindparam("new_checksum")}
    if name == "operations":
        table.append_column(sa.column("masks_checksum"))
        values["masks_checksum"] = sa.bindparam("new_masks_checksum")
    keys = [table.c[key] for key in KEYS[name]]
    change = sa.update(table).where(*(key == sa.bindparam(f"of_{key.name}") for key in keys)).values(values)
    for rows in _read(connection, sa.select(*(table.c[column] for column in columns)), keys):
        connection.execute(change, [_sealed(name, row) for row in rows])


def _sealed(name: str, row: sa.RowMapping) -> dict[str, Any]:
    sealed = {f"of_{key}": row[key] for key in KEYS[name]}
    if name == "operations":
        sealed["new_masks_checksum"] = masks_checksum(row["masks"])
        whole = dict(row) | {"masks_checksum": sealed["new_masks_checksum"]}
        return sealed | {"new_checksum": checksum(name, SEALED[name], whole)}
    return sealed | {
        "new_checksum": checksum(name, SEALED[name], dict(row), row["masks"] if name == "objects" else b"")
    }


def _read(
    connection: sa.Connection, query: sa.Select[Any], keys: Sequence[sa.ColumnClause[Any]]
) -> Iterator[Sequence[sa.RowMapping]]:
    """The rows in parts, in the order of their keys; those that cannot be decoded are left out, and so not sealed."""
    last: tuple[Any, ...] | None = None
    while True:
        after = sa.tuple_(*keys) > sa.tuple_(*map(sa.literal, last)) if last is not None else sa.true()
        part = connection.execute(sa.select(*keys).where(after).order_by(*keys).limit(ROWS_AT_ONCE)).all()
        if not part:
            return
        upto = sa.tuple_(*keys) <= sa.tuple_(*map(sa.literal, tuple(part[-1])))
        try:
            yield connection.execute(query.where(after, upto)).mappings().all()
        except (ValueError, DBAPIError):
            yield list(_readable(connection, query, keys, part))
        last = tuple(part[-1])


def _readable(
    connection: sa.Connection, query: sa.Select[Any], keys: Sequence[sa.ColumnClause[Any]], part: Sequence[Any]
) -> Iterator[sa.RowMapping]:
    for values in part:
        try:
            chosen = query.where(*(key == value for key, value in zip(keys, values, strict=True)))
            row = connection.execute(chosen).mappings().first()
        except (ValueError, DBAPIError):
            continue
        if row is not None:
            yield row
