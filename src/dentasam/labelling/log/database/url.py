"""The address of a PostgreSQL database. It holds a password, which no message may show, however it is bent."""

from __future__ import annotations

import re
from urllib.parse import unquote

from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from dentasam.errors import WorkspaceError

DRIVERS = ("postgresql", "postgres", "postgresql+psycopg")
# Part of a well-known name, and so no secret of a user.
_SCHEME = re.compile(r"(mysql|mariadb|oracle|mssql|postgres|postgresql)(\+\w+)?:", re.IGNORECASE)
_PLACE = ("host", "port")
_MALFORMED = "the database URL is malformed; write postgresql://USER:PASSWORD@HOST:PORT/NAME"


def postgresql_url(url: str) -> URL:
    """The parts of the URL, with our driver. Raises WorkspaceError, which shows nothing of them."""
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in url):
        raise WorkspaceError(f"{_MALFORMED}, without control characters")
    named = _SCHEME.match(url)
    if named is not None and named[1].lower() not in ("postgres", "postgresql"):
        raise WorkspaceError(f"{named[1].lower()} databases are not supported; use postgresql:// or sqlite:///")
    if url.partition("?")[0].count("@") > 1:
        # The driver would take a part of the password for the host, and name it.
        raise WorkspaceError(f"{_MALFORMED}; an @ in the password is written %40, a / %2F, a : %3A")
    try:
        parts = make_url(url)
    except (SQLAlchemyError, ValueError):
        raise WorkspaceError(_MALFORMED) from None
    if parts.drivername not in DRIVERS:
        raise WorkspaceError("this kind of database is not supported; use postgresql:// or sqlite:///")
    return parts.set(drivername="postgresql+psycopg")


def shown_url(url: URL) -> str:
    """The URL for a message: without the password and without options, which may hold another one.

    A host and a port stay, also where they are options, as for a socket in a folder.
    """
    shown = {name: value for name, value in url.query.items() if name in _PLACE}
    return url.set(query=shown).render_as_string(hide_password=True)


def without_secrets(message: str, url: URL) -> str:
    """A driver's message without the password and the values of options, which some of them repeat."""
    secrets = {str(url.password or "")}
    for name, values in url.query.items():
        if name not in _PLACE:
            secrets |= {values} if isinstance(values, str) else set(values)
    for secret in sorted(secrets | {unquote(secret) for secret in secrets}, key=len, reverse=True):
        if secret:
            message = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", message)
    return message
