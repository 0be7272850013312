"""Codes that open the page once, soon after they were made.

A browser that is started by a command gets its address in the command line, which other users of the machine can
read.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from enum import Enum
from time import monotonic

CODE_SECONDS = 60.0


class Taken(Enum):
    """What a code was when it came."""

    valid = "valid"
    used = "used"
    unknown = "unknown"


class OneTimeCodes:
    """Codes, each for one holder. From others it is an unknown one, and stays good for its own.

    A holder is the token of a session, or nothing where a code is for whoever has it. Tokens are kept as hashes.
    seconds: how long a code that nobody used opens the page.
    """

    def __init__(self, seconds: float = CODE_SECONDS, clock: Callable[[], float] = monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._until: dict[tuple[str, str], float] = {}
        # Codes that opened the page, and until when they would have; later nobody can tell them from guesses.
        self._used: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def new(self, holder: str = "") -> str:
        code = secrets.token_urlsafe(32)
        with self._lock:
            now = self._clock()
            self._until = {each: until for each, until in self._until.items() if until >= now}
            self._used = {each: until for each, until in self._used.items() if until >= now}
            self._until[code, _digest(holder)] = now + self._seconds
        return code

    def take(self, code: str, holder: str = "") -> Taken:
        """Whether a code opens the page for the holder; it does so no second time."""
        key = code, _digest(holder)
        with self._lock:
            if key in self._used:
                return Taken.used
            until = self._until.pop(key, None)
            if until is None or until < self._clock():
                return Taken.unknown
            self._used[key] = until
            return Taken.valid


def _digest(holder: str) -> str:
    return hashlib.sha256(holder.encode("utf-8", "surrogatepass")).hexdigest()
