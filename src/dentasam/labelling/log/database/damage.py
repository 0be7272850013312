"""Damaged data: what is damaged, by the names of its case and object, and errors of the database that mean it."""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dentasam.documents.shown import MAX_REASON, cut, printable
from dentasam.errors import WorkspaceError
from dentasam.labelling.log.database.failures import is_busy, is_connection_lost, is_disk_full
from dentasam.labelling.log.database.sqlite_check import GUIDE

# One line on stderr, where `--traceback` adds the traceback.
log = logging.getLogger("dentasam.data.notices")
# PostgreSQL's codes of an input/output error, of damaged data and of a damaged index.
_DAMAGED_STATES = frozenset({"58030", "XX001", "XX002"})


@dataclass(frozen=True, slots=True)
class Damage:
    """Something of a case that the database cannot give back as it was stored.

    case: the name of its image. object, label: the object's id and category, as far as they are known; None where it
    is not one object. what: what is damaged, to be read after the names.
    """

    case: str
    what: str
    object: str | None = None
    label: str | None = None

    @property
    def line(self) -> str:
        named = "" if self.object is None else f"object {f'{self.label} ' if self.label else ''}({self.object}): "
        return f"{self.case}: {named}{self.what}"


class DamagedData(WorkspaceError):
    """Data of a case is damaged in the database. `damages` has at least one entry."""

    def __init__(self, damages: Sequence[Damage]) -> None:
        more = f" (and {len(damages) - 1} more)" if len(damages) > 1 else ""
        super().__init__(f"{damages[0].line}{more}; {GUIDE}")
        self.damages = tuple(damages)

    @property
    def objects(self) -> list[str]:
        """The ids of the damaged objects; empty where something else is damaged too."""
        found = [damage.object for damage in self.damages if damage.object is not None]
        return found if len(found) == len(self.damages) else []


class StorageBusy(WorkspaceError):
    """Others hold the database for too long; nothing was stored, and the same request may be sent again."""

    headers: Final = {"Retry-After": "2"}


class StorageLost(StorageBusy):
    """The database cannot be reached; the same request may be sent again, whether it was stored or not."""


def is_damage(error: BaseException) -> bool:
    """Whether an error means that stored bytes are not what was written; also of a value that cannot be decoded."""
    if isinstance(error, DBAPIError):
        cause: Any = error.orig
        if isinstance(cause, sqlite3.Error):
            code = getattr(cause, "sqlite_errorcode", None)
            if code is None:
                return "decode" in str(cause)
            primary = code & 0xFF
            # A table whose definition is damaged is not found.
            # A constraint fails, though rows are looked up before they are written, where an index is damaged.
            damaged = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CONSTRAINT)
            return primary in damaged or (
                primary == sqlite3.SQLITE_ERROR and str(cause).startswith(("no such", "malformed"))
            )
        return getattr(cause, "sqlstate", None) in _DAMAGED_STATES
    return isinstance(error, ValueError | OverflowError)


def damaged_value(error: ValueError | OverflowError | DBAPIError) -> bool:
    """As `is_damage`, of what ends the reading of rows. The error is logged, as it could be one of this program."""
    found = is_damage(error)
    if found and not isinstance(error, DBAPIError):
        log.warning("a value in the database cannot be read (%s: %s)", type(error).__name__, error, exc_info=error)
    return found


@contextmanager
def naming(case: Callable[[], str]) -> Iterator[None]:
    """Raises DamagedData that names the case, StorageBusy or StorageLost for the driver's errors that mean that.

    The driver's error is the cause of DamagedData, for the log: what fails a constraint could be an error of this
    program too. case: called where there is an error.
    """
    try:
        yield
    except SQLAlchemyError as error:
        if is_busy(error):
            raise StorageBusy(
                "the labelling database is busy; nothing was stored, try again in a few seconds"
            ) from None
        if is_connection_lost(error):
            reason = " ".join(str(getattr(error, "orig", error)).split())
            log.warning("the labelling database cannot be reached (%s)", cut(printable(reason), MAX_REASON))
            raise StorageLost("the labelling database cannot be reached; try again in a few seconds") from None
        if not isinstance(error, DBAPIError) or is_disk_full(error) or not is_damage(error):
            raise
        reason = cut(printable(" ".join(str(error.orig).split())), MAX_REASON)
        raise DamagedData([Damage(case(), f"cannot be read from the database ({reason})")]) from error
