"""How a workspace's database is opened: SQLite, or PostgreSQL by its URL."""

import json
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from dentasam.documents.json_document import MAX_DEPTH, parse_json
from dentasam.documents.shown import MAX_REASON, cut, printable
from dentasam.errors import WorkspaceError
from dentasam.labelling.log.database.damage import damaged_value
from dentasam.labelling.log.database.failures import is_disk_full
from dentasam.labelling.log.database.sqlite_check import GUIDE, DamagedDatabase, check_sqlite, damaged_error
from dentasam.labelling.log.database.tables import metadata
from dentasam.labelling.log.database.transactions import writing
from dentasam.labelling.log.database.url import postgresql_url, shown_url, without_secrets

BUSY_TIMEOUT_SECONDS = 30
# What was rebuilt is a notice of the command, like what was assumed about an image.
log = logging.getLogger("dentasam.data.notices")
MIGRATION_LOCK = 0x64656E74  # an arbitrary number, the same for all servers


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
    engine = create_engine(parts, connect_args={"timeout": BUSY_TIMEOUT_SECONDS}, json_deserializer=_stored_json)

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
        return create_engine(parts, pool_pre_ping=True, json_deserializer=_stored_json)
    except ImportError:
        raise WorkspaceError("PostgreSQL needs its driver: pip install 'dentasam[postgres]'") from None


def _stored_json(stored: Any) -> Any:
    """The content of a JSON column. Damage is given as a text or number, which no checksum of a row fits."""
    try:
        text = stored.decode("utf-8") if isinstance(stored, bytes) else stored
        # SQLite gives a number where damage has made one of a text.
        if not isinstance(text, str):
            return text
        # Brackets in strings count too: only what may be nested too deeply is read more slowly.
        is_flat = text.count("[") + text.count("{") <= MAX_DEPTH
        return json.loads(text) if is_flat else parse_json(text, numbers=False)
    except ValueError as error:
        damaged_value(error)
        return repr(stored)
