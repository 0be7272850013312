"""The tables of a workspace's database.

`operations` is the append-only log, from which everything about objects follows. `objects` is the state that the log
adds up to, written in the same transaction, so that a case opens without reading its log. `intervals` is the active
time; the intervals of one annotator never overlap.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    true,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)


class Flag(Boolean):
    """A truth value. One that SQLite stores otherwise than as 0 or 1 is read as it is, so that no checksum fits it.

    The usual type reads it as true, while a comparison in SQL finds it neither true nor false.
    """

    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        return None if dialect.supports_native_boolean else _flag


def _flag(stored: Any) -> Any:
    return stored == 1 if stored in (0, 1) else stored


# One row at most.
workspace = Table(
    "workspace",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("case_rows", Integer),  # how many rows `cases` has; None before the first
    # False until the workspace's folder has the id too
    Column("kept", Boolean, nullable=False, server_default=true()),
)

cases = Table(
    "cases",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bits", Integer, nullable=False),
    Column("present", Flag, nullable=False),  # False while its image is missing
    Column("status", String(20), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("uncertainty", Float),
    Column("updated", String(40), nullable=False),
    Column("missing", JSON(none_as_null=True)),  # the numbers of teeth that were marked as missing
    Column("charted", String(64)),  # the picture and model whose proposals were added last, hashed
    Column("object_rows", Integer, nullable=False, server_default="0"),  # how many the case has in `objects`
    Column("comment_rows", Integer, nullable=False, server_default="0"),
    Column("checksum", BigInteger),  # see `checksums`; None where the row could not be read at the migration
)

operations = Table(
    "operations",
    metadata,
    Column("case_id", ForeignKey("cases.id"), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("id", String(36), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("object_id", String(36)),
    Column("undoes", String(36)),
    Column("time", BigInteger, nullable=False),
    Column("data", JSON, nullable=False),
    Column("masks", LargeBinary),  # an envelope of mask, painted and erased
    Column("annotator", Text, nullable=False),
    Column("received", String(40), nullable=False),
    Column("masks_checksum", BigInteger),
    Column("checksum", BigInteger),
    UniqueConstraint("case_id", "id"),
)

objects = Table(
    "objects",
    metadata,
    Column("case_id", ForeignKey("cases.id"), primary_key=True),
    Column("id", String(36), primary_key=True),
    Column("category", Text),
    Column("parent", String(36)),
    Column("locked", Flag, nullable=False),
    Column("accepted", Flag, nullable=False),
    Column("deleted", Flag, nullable=False),
    Column("source", String(20), nullable=False),
    Column("prompts", JSON(none_as_null=True)),
    Column("model", JSON(none_as_null=True)),
    Column("area", BigInteger, nullable=False),
    Column("created", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("annotator", Text, nullable=False),
    Column("masks", LargeBinary, nullable=False),  # an envelope of mask, painted and erased
    Column("confidence", Float),
    Column("touches", JSON(none_as_null=True)),  # of a proposal, the operations by which people changed it
    Column("proposed", Flag, nullable=False, server_default=false()),  # untouched and not accepted
    Column("checksum", BigInteger),
)

comments = Table(
    "comments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False, index=True),
    Column("annotator", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("time", String(40), nullable=False),
    Column("checksum", BigInteger),
)

intervals = Table(
    "intervals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False, index=True),
    Column("annotator", Text, nullable=False),
    Column("tool", String(50), nullable=False),
    Column("object_id", String(64)),
    Column("start", Float, nullable=False),  # seconds since 1970
    Column("stop", Float, nullable=False),
    Column("checksum", BigInteger),
    Index("ix_intervals_annotator_start", "annotator", "start"),
)
