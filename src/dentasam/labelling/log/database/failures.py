"""What an error of the database means, be it SQLite or PostgreSQL."""

import sqlite3
from typing import Any

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dentasam.files.full_disk import NO_ROOM


def is_disk_full(error: BaseException) -> bool:
    """Whether an error of SQLite, PostgreSQL or the operating system means that no space is left."""
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
    if isinstance(error, PoolTimeout):
        return True
    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    # serialization_failure, deadlock_detected, too_many_connections, lock_not_available
    return getattr(cause, "sqlstate", None) in ("40001", "40P01", "53300", "55P03")


def is_connection_lost(error: BaseException) -> bool:
    """Whether an error of PostgreSQL means that the server cannot be reached, or not any more."""
    if not isinstance(error, DBAPIError) or isinstance(error.orig, sqlite3.Error):
        return False
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        # The driver has no code for what it could not ask the server.
        return error.connection_invalidated or isinstance(error, OperationalError)
    # connection_exception; admin_shutdown, crash_shutdown, cannot_connect_now
    return state.startswith("08") or state in ("57P01", "57P02", "57P03")
