"""The tables of a workspace's database, and how it is opened: SQLite, or PostgreSQL by its URL.

`operations` is the append-only log, from which everything about objects follows. `objects` is the state that the log
adds up to, written in the same transaction, so that a case opens without reading its log. `intervals` is the active
time; the intervals of one annotator never overlap.
"""

import logging
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
    Dialect,
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
    false,
    inspect,
    true,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dentasam.documents.shown import MAX_REASON, cut, printable
from dentasam.errors import WorkspaceError
from dentasam.files.full_disk import NO_ROOM
from dentasam.labelling.log.database_url import postgresql_url, shown_url, without_secrets
from dentasam.labelling.log.sqlite_check import GUIDE, DamagedDatabase, check_sqlite, damaged_error

BUSY_TIMEOUT_SECONDS = 30
# What was rebuilt is a notice of the command, like what was assumed about an image.
log = logging.getLogger("dentasam.data.notices")
MIGRATION_LOCK = 0x64656E74  # an arbitrary number, the same for all servers
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


def open_database(url: str, damaged: list[str] | None = None) -> Engine:
    """Opens the database at `url`; makes its tables, or migrates them if they are of an older version.

    damaged: gets a line for damage that reading can go on with, in place of an error. Raises WorkspaceError if it
    cannot be reached, is damaged, has other tables, or was written by a newer version.
    """
    problems = _checked(url)
    if problems and damaged is None and _journal(Path(url.removeprefix("sqlite:///"))):
        # Opened for writing, SQLite would write the journal into the file, be it another database's.
        raise damaged_error(url, problems)
    engine = _sqlite(url) if url.startswith("sqlite:") else _postgresql(url)
    shown = shown_url(engine.url)
    try:
        if problems and not _rebuild_indexes(engine):
            error = damaged_error(shown, problems)
            if damaged is None:
                raise error
            damaged.append(str(error))
        with writing(engine) as connection:
            if connection.dialect.name == "postgresql":
                # Otherwise two servers that start at once would both make the tables.
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            migrate(connection)
            _check_tables(connection)
    except DamagedDatabase:
        engine.dispose()
        raise
    except WorkspaceError as error:
        engine.dispose()
        raise WorkspaceError(f"{shown}: {error}") from None
    except (SQLAlchemyError, OSError, ValueError) as error:
        engine.dispose()
        if is_disk_full(error):
            raise WorkspaceError(f"{shown}: the disk is full; make room and start again") from None
        cause = getattr(error, "orig", None) or error
        reason = cut(printable(without_secrets(" ".join(str(cause).split()), engine.url)), 300)
        raise WorkspaceError(
            f"{shown} cannot be opened ({reason}); check that it is a database of dentasam, or {GUIDE}"
        ) from None
    return engine


def _checked(url: str) -> tuple[str, ...]:
    """What is damaged in the pages of an SQLite file that is there."""
    path = Path(url.removeprefix("sqlite:///"))
    if not url.startswith("sqlite:///") or not path.is_file() or not (path.stat().st_size or _journal(path)):
        return ()
    found = check_sqlite(path)
    if not found.complete:
        log.warning("%s is large: its pages were not all checked; each row is checked when it is read", path)
    return found.problems


def _journal(path: Path) -> bool:
    journal = path.with_name(f"{path.name}-wal")
    return journal.is_file() and journal.stat().st_size > 0


def _rebuild_indexes(engine: Engine) -> bool:
    """Makes the indexes of a damaged SQLite file again from their tables; False where that was not all damage."""
    try:
        with writing(engine) as connection:
            connection.exec_driver_sql("REINDEX")
            if connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar() != "ok":
                raise WorkspaceError("more than the indexes is damaged")
    except (SQLAlchemyError, WorkspaceError):
        return False
    log.warning("%s had damaged indexes; they were made again from their tables", engine.url.database)
    return True


def _check_tables(connection: Connection) -> None:
    """Raises WorkspaceError where a table or a column is not there, whatever version the database says it has."""
    found = inspect(connection)
    there = set(found.get_table_names())
    for table in metadata.sorted_tables:
        columns = {str(column["name"]) for column in found.get_columns(table.name)} if table.name in there else set()
        lacking = [column.name for column in table.columns if column.name not in columns]
        if lacking:
            raise WorkspaceError(f"its table {table.name} lacks {', '.join(lacking)}; restore a backup, {GUIDE}")


def migrate(connection: Connection) -> None:
    """Migrates the tables to the newest revision in `migrations/`. Raises WorkspaceError for a newer database."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except (SQLAlchemyError, OSError):
        raise
    except Exception as error:
        # Alembic raises almost anything for a version that is empty, a number or bytes.
        if isinstance(error, CommandError) and "Can't locate revision" in str(error):
            raise WorkspaceError("it was written by a newer dentasam; pip install --upgrade dentasam") from None
        reason = cut(printable(" ".join(str(error).split())), MAX_REASON) or type(error).__name__
        raise WorkspaceError(f"its version is damaged ({reason}); restore a backup, {GUIDE}") from None


def is_disk_full(error: BaseException) -> bool:
    """Whether an error of SQLite, PostgreSQL or the operating system means that no space is left."""
    import sqlite3

    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        # The primary code is the low byte; a write to a full disk may also be reported as an I/O error.
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        return code == sqlite3.SQLITE_FULL or "disk is full" in str(cause)
    if isinstance(cause, OSError):
        return cause.errno in NO_ROOM
    return getattr(cause, "sqlstate", None) == "53100"


def is_busy(error: BaseException) -> bool:
    """Whether an error of SQLite, PostgreSQL or the pool of connections means that others hold the database."""
    import sqlite3

    if isinstance(error, PoolTimeout):
        return True
    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    # serialization_failure, deadlock_detected, too_many_connections, lock_not_available
    return getattr(cause, "sqlstate", None) in ("40001", "40P01", "53300", "55P03")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads; all its statements see the database at the same moment."""
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            # By default each statement sees what was committed before it.
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes.

    SQLite takes its only write lock at the start. Taken after a read, it would fail at once, without waiting, if
    another thread had written in between.
    """
    with engine.connect().execution_options(dentasam_write=True) as connection, connection.begin():
        yield connection


def batches(ids: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Ids in parts that fit one statement."""
    return (ids[at : at + MAX_IDS_PER_STATEMENT] for at in range(0, len(ids), MAX_IDS_PER_STATEMENT))


def _sqlite(url: str) -> Engine:
    path = url.removeprefix("sqlite:///")
    if path == url or not path:
        raise WorkspaceError("the database URL is not that of an SQLite file; write sqlite:///PATH")
    # Set as a part, since a path may hold characters that have a meaning in a URL.
    parts = make_url("sqlite://").set(database=path)
    if path != ":memory:":
        # Only the owner may read it; SQLite gives its other files the same permissions, and reports what prevents it.
        with suppress(OSError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    engine = create_engine(parts, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: object) -> None:
        # The driver would start a transaction at the first write only; the event below starts it.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # With NORMAL, a power failure may lose what was acknowledged last; a sync for each save takes milliseconds.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("dentasam_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: str) -> Engine:
    parts = postgresql_url(url)
    try:
        return create_engine(parts, pool_pre_ping=True)
    except ImportError:
        raise WorkspaceError("PostgreSQL needs its driver: pip install 'dentasam[postgres]'") from None
