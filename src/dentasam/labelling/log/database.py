"""The tables of a workspace's database, and how it is opened: SQLite, or PostgreSQL by its URL.

`operations` is the log and the truth; `objects` is what it adds up to, kept in the same transaction, so that a case
opens without its log being read. `intervals` never overlap for one annotator.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
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
    create_engine,
    event,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dentasam.errors import WorkspaceError

BUSY_TIMEOUT_SECONDS = 30
MIGRATION_LOCK = 0x64656E74  # any number that all servers share
# Databases limit the parameters of a statement.
MAX_IDS_PER_STATEMENT = 500

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)

# One row at most.
workspace = Table("workspace", metadata, Column("id", String(36), primary_key=True))

cases = Table(
    "cases",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bits", Integer, nullable=False),
    Column("present", Boolean, nullable=False),  # False while its image is not in the folder
    Column("status", String(20), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("uncertainty", Float),
    Column("updated", String(40), nullable=False),
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
    UniqueConstraint("case_id", "id"),
)

objects = Table(
    "objects",
    metadata,
    Column("case_id", ForeignKey("cases.id"), primary_key=True),
    Column("id", String(36), primary_key=True),
    Column("category", Text),
    Column("parent", String(36)),
    Column("locked", Boolean, nullable=False),
    Column("accepted", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("source", String(20), nullable=False),
    Column("prompts", JSON(none_as_null=True)),
    Column("model", JSON(none_as_null=True)),
    Column("area", BigInteger, nullable=False),
    Column("created", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("annotator", Text, nullable=False),
    Column("masks", LargeBinary, nullable=False),  # an envelope of mask, painted and erased
)

comments = Table(
    "comments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False, index=True),
    Column("annotator", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("time", String(40), nullable=False),
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
    Index("ix_intervals_annotator_start", "annotator", "start"),
)


def open_database(url: str) -> Engine:
    """The database at `url`, made or brought up to date where it is older than this version.

    Raises WorkspaceError where it cannot be reached, is damaged, or was written by a newer version.
    """
    engine = _sqlite(url) if url.startswith("sqlite:") else _postgresql(url)
    shown = engine.url.render_as_string(hide_password=True)
    try:
        with writing(engine) as connection:
            if connection.dialect.name == "postgresql":
                # Two servers that start at once would both make the tables.
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            migrate(connection)
    except WorkspaceError as fault:
        engine.dispose()
        raise WorkspaceError(f"{shown}: {fault}") from None
    except (SQLAlchemyError, OSError) as fault:
        engine.dispose()
        if is_disk_full(fault):
            raise WorkspaceError(f"{shown}: the disk is full; make room and start again") from None
        cause = getattr(fault, "orig", None) or fault
        reason = " ".join(str(cause).split())[:300]
        raise WorkspaceError(
            f"{shown} cannot be opened ({reason}); check that it is a database of dentasam"
        ) from None
    return engine


def migrate(connection: Connection) -> None:
    """Brings the tables to the newest revision of `migrations/`. Raises WorkspaceError for a newer database."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as fault:
        if "Can't locate revision" in str(fault):
            raise WorkspaceError("it was written by a newer dentasam; pip install --upgrade dentasam") from None
        raise


def is_disk_full(fault: BaseException) -> bool:
    """Whether a fault means that no room is left: SQLite's, PostgreSQL's or the system's own."""
    import sqlite3

    cause: Any = fault.orig if isinstance(fault, DBAPIError) else fault
    if isinstance(cause, sqlite3.Error):
        # The primary code lies in the low byte; a write to a full disk may also come as an I/O error.
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        return code == sqlite3.SQLITE_FULL or "disk is full" in str(cause)
    if isinstance(cause, OSError):
        return cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return getattr(cause, "sqlstate", None) == "53100"


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One transaction that only reads, all of it at one moment."""
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            # As it is by itself, each statement would see what was committed before it.
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that will write. SQLite takes its only write lock at the start: taking it after a read
    could fail, where another thread wrote in between, without ever waiting."""
    with engine.connect().execution_options(dentasam_write=True) as connection, connection.begin():
        yield connection


def batches(ids: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Ids in parts that fit one statement."""
    return (ids[at : at + MAX_IDS_PER_STATEMENT] for at in range(0, len(ids), MAX_IDS_PER_STATEMENT))


def _sqlite(url: str) -> Engine:
    path = url.removeprefix("sqlite:///")
    if path == url or not path:
        raise WorkspaceError(f"{url} is no SQLite database; write sqlite:///PATH")
    # Through its parts, since a path may hold characters that mean something in a URL.
    parts = make_url("sqlite://").set(database=path)
    if path != ":memory:":
        # For its owner alone, as SQLite's other files are then too. What stands in the way, SQLite says itself.
        with suppress(OSError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    engine = create_engine(parts, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})

    @event.listens_for(engine, "connect")
    def configured(connection: Any, record: object) -> None:
        # The driver's own transactions start late, at the first write; SQLAlchemy's events start them here.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # NORMAL may lose what was acknowledged last when the power fails; a sync per save costs milliseconds.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get("dentasam_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: str) -> Engine:
    try:
        parts = make_url(url)
    except SQLAlchemyError:
        raise WorkspaceError("the database URL is malformed; write postgresql://USER@HOST/NAME") from None
    if parts.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise WorkspaceError(f"{parts.drivername} databases are not supported; use postgresql:// or sqlite:///")
    try:
        return create_engine(parts.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    except ImportError:
        raise WorkspaceError("PostgreSQL needs its driver: pip install 'dentasam[postgres]'") from None
