"""Checks an SQLite file before it is used: that it is a database of this program, and that its pages are whole.

The check opens the file for reading only, so that a journal that belongs to another database is not written into it.
`PRAGMA integrity_check` also compares the indexes with their tables. On a database of 10,000 cases with 300,000
objects (800 MB) it takes 1.1 s from the page cache, `quick_check` 0.7 s; from a slow disk as long as it takes to read
the file, so that it ends after a time limit and the start goes on: each row is checked again when it is read.
"""

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from dentasam.documents.shown import cut, printable
from dentasam.errors import WorkspaceError

GUIDE = "see Damage in docs/labelling-server.md"
SECONDS = 20.0
STEPS = 100_000  # of SQLite's virtual machine between two looks at the clock
MAX_PROBLEMS = 3
_JOURNAL_START = bytes.fromhex("d9d505f920a163d7")


class DamagedDatabase(WorkspaceError):
    """The pages of a database are damaged."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found.

    empty: it has no tables yet. problems: what is damaged, in SQLite's words. complete: all was checked within the
    time limit. id: that of the workspace it belongs to, None where it has none.
    """

    empty: bool
    problems: tuple[str, ...] = ()
    complete: bool = True
    id: str | None = None


def check_sqlite(path: Path, seconds: float = SECONDS) -> Checked:
    """Checks a file that exists; raises WorkspaceError if it cannot be opened as a database.

    seconds: how long the check of the pages may take.
    """
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)
    except sqlite3.Error as error:
        raise _refused(path, error) from None
    try:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return Checked(empty=True)
        if "alembic_version" not in tables:
            found = ", ".join(cut(printable(name)) for name in sorted(map(str, tables))[:3])
            raise WorkspaceError(
                f"{path} holds no labels but {found}; if its journal {path.name}-wal is "
                f"another database's, take that away; {GUIDE}"
            )
        return Checked(False, *_check_pages(connection, seconds), _id(connection))
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _refused(path, error) from None
    finally:
        connection.close()


def _id(connection: sqlite3.Connection) -> str | None:
    try:
        found = connection.execute("SELECT id FROM workspace").fetchone()
    except sqlite3.DatabaseError:
        # Databases from before there were ids have no such table.
        return None
    return str(found[0]) if found else None


def damaged_error(path: str, problems: tuple[str, ...]) -> DamagedDatabase:
    """The error about a damaged database, in one line."""
    found = printable("; ".join(problems))[:300]
    return DamagedDatabase(
        f"{path} is damaged ({found}); write what is whole with --export, then restore a backup: {GUIDE}"
    )


def _check_pages(connection: sqlite3.Connection, seconds: float) -> tuple[tuple[str, ...], bool]:
    deadline = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
    problems: list[str] = []
    try:
        for (line,) in connection.execute(f"PRAGMA integrity_check({MAX_PROBLEMS})"):
            problems += [] if line == "ok" else [" ".join(str(line).replace("*** in database main ***", "").split())]
        if not problems:
            foreign = connection.execute("PRAGMA foreign_key_check").fetchmany(1)
            problems += [f"rows of {table} belong to no row of {parent}" for table, _, parent, _ in foreign]
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_INTERRUPT:
            problems.append(str(error))
        else:
            return tuple(problems), False
    except sqlite3.DatabaseError as error:
        problems.append(str(error))
    return tuple(problems), True


def _start_of(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(len(_JOURNAL_START))
    except OSError:
        return b""


def _refused(path: Path, error: Exception) -> WorkspaceError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    reason = printable(" ".join(str(error).split()))
    journal = path.with_name(f"{path.name}-journal")
    if code == sqlite3.SQLITE_READONLY and (start := _start_of(journal)):
        # A file that is only read cannot be brought back to before a write that was interrupted.
        if start == _JOURNAL_START:
            return WorkspaceError(
                f"{path} cannot be opened, because {journal.name} beside it is of an interrupted write; copy both, "
                f"then let SQLite undo that write: sqlite3 {path.name} 'PRAGMA quick_check'"
            )
        return WorkspaceError(
            f"{path} cannot be opened, because {journal.name} beside it is damaged or no journal; move "
            f"{journal.name} out of the folder and start again; {GUIDE}"
        )
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_BUSY):
        return WorkspaceError(f"{path} cannot be opened ({reason}); check its permissions and its folder")
    return WorkspaceError(f"{path} cannot be opened as a database ({reason}); restore a backup: {GUIDE}")
