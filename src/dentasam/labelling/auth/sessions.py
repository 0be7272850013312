"""Who is signed in, also after a restart of the server."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from dentasam.documents.json_document import parse_json
from dentasam.files.atomic_write import write_atomically
from dentasam.labelling.workspace.private_file import read_private

FILE_NAME = "sessions.json"
SESSION_SECONDS = 12 * 3600.0
# A restart signs out those before the last ones; a session takes less than 600 bytes of the file.
MAX_KEPT = 5000
MAX_BYTES = 4 << 20

log = logging.getLogger(__name__)


class Sessions:
    """Open sessions by the hash of their token, so that neither memory nor the file reveals a token.

    With a `path` they are kept there for the next start. A session is bound to the password it was opened with: who
    is removed or gets another password is signed out at the next start.
    """

    def __init__(
        self,
        seconds: float = SESSION_SECONDS,
        clock: Callable[[], float] = time.time,
        *,
        path: Path | None = None,
        passwords: Mapping[str, str] | None = None,
    ) -> None:
        """passwords: something for each name that changes with its password, as its hash does.

        Raises WorkspaceError for a file that is far too large to be this one.
        """
        self._seconds, self._clock, self._path = seconds, clock, path
        self._passwords = passwords or {}
        self._lock = threading.Lock()
        self._open: dict[str, tuple[str, float]] = {}
        if path is not None:
            self._open = self._read(path)

    def begin(self, name: str, prefix: str = "") -> str:
        """A new session's token. prefix: how it begins."""
        token = prefix + secrets.token_urlsafe(32)
        now = self._clock()
        with self._lock:
            self._open = {key: session for key, session in self._open.items() if session[1] > now}
            self._open[_digest(token)] = name, now + self._seconds
            self._write()
        return token

    def annotator(self, token: str) -> str | None:
        """Whose session the token is, or None."""
        name, until = self._open.get(_digest(token), (None, 0.0))
        return name if until > self._clock() else None

    def end(self, token: str) -> None:
        with self._lock:
            if self._open.pop(_digest(token), None) is not None:
                self._write()

    def end_all(self) -> None:
        """Sign everybody out."""
        with self._lock:
            self._open = {}
            self._write()

    def _read(self, path: Path) -> dict[str, tuple[str, float]]:
        now = self._clock()
        try:
            rows = parse_json(read_private(path, MAX_BYTES) or "[]")
            found = {}
            for row in rows:
                until = min(float(row["until"]), now + self._seconds)
                if until > now and row["password"] == self._mark(row["name"]):
                    found[str(row["token"])] = str(row["name"]), until
            return found
        except (ValueError, TypeError, KeyError, OverflowError):
            # Everybody signs in again.
            return {}

    def _write(self) -> None:
        if self._path is None:
            return
        rows = [
            {"token": digest, "name": name, "password": self._mark(name), "until": until}
            for digest, (name, until) in list(self._open.items())[-MAX_KEPT:]
        ]
        try:
            with write_atomically(self._path, durable=True, private=True) as draft:
                draft.write_text(json.dumps(rows, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            log.warning("%s cannot be written (%s); a restart signs everybody out", self._path, error.strerror)

    def _mark(self, name: str) -> str | None:
        password = self._passwords.get(name)
        return None if password is None else hashlib.sha256(f"{name}\0{password}".encode()).hexdigest()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
