"""Annotators who sign in: a YAML file of names and Argon2 password hashes, and a limit on failed attempts."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import yaml
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from dentasam.documents.error import DocumentError
from dentasam.documents.shown import shown
from dentasam.documents.yaml_document import read_yaml
from dentasam.errors import WorkspaceError
from dentasam.files.atomic_write import write_atomically

FILE_NAME = "annotators.yaml"
NAME = re.compile(r"\w[\w .@-]{0,62}\w|\w")
MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH = 8, 256


class Annotators:
    """Names and password hashes from `annotators.yaml`; empty if there is no such file."""

    def __init__(self, path: Path) -> None:
        """Raises WorkspaceError for a file that cannot be read or holds something else."""
        self.path = path
        self._hasher = PasswordHasher()
        self._hashes = _read(path)
        # An unknown name must take as long as a wrong password.
        self._decoy = self._hasher.hash(secrets.token_urlsafe(16))
        # A hash takes 64 MB and a core: attempts wait in line instead of filling the machine.
        self._one_at_a_time = threading.Lock()

    @classmethod
    def of(cls, folder: Path) -> Annotators:
        """The annotators of a workspace's folder."""
        return cls(folder / FILE_NAME)

    @property
    def hashes(self) -> Mapping[str, str]:
        """Password hashes by name."""
        return self._hashes

    @property
    def names(self) -> list[str]:
        return sorted(self._hashes)

    def add(self, name: str, password: str) -> bool:
        """Add an annotator, or give one a new password; returns whether the name is new.

        Raises WorkspaceError for a name or password that cannot be taken, or a file that cannot be written.
        """
        check_name(name)
        if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
            raise WorkspaceError(
                f"the password for {name} has {len(password)} characters; "
                f"choose one of {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH}"
            )
        new = name not in self._hashes
        self._hashes[name] = self._hasher.hash(password)
        self._write()
        return new

    def verify(self, name: str, password: str) -> bool:
        """Whether the password is that of the name; unknown names take as long as wrong passwords."""
        stored = self._hashes.get(name)
        with self._one_at_a_time:
            try:
                self._hasher.verify(stored or self._decoy, password[:MAX_PASSWORD_LENGTH])
            except (Argon2Error, InvalidHashError):
                return False
        return stored is not None

    def _write(self) -> None:
        content = {"annotators": [{"name": name, "password": self._hashes[name]} for name in self.names]}
        try:
            # Whoever reads the hashes can guess passwords offline.
            with write_atomically(self.path, durable=True, private=True) as draft:
                draft.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
        except OSError as error:
            raise WorkspaceError(f"{self.path} cannot be written ({error.strerror}); check its folder") from None


@dataclass(frozen=True)
class Attempts:
    """How many failures of one kind are let pass within `seconds`, per key."""

    most: int
    seconds: float


class Throttle:
    """Counts failed sign-ins, by address and by name, and says how long to wait once there are too many."""

    PER_ADDRESS = Attempts(10, 300.0)
    # Wider than the one by address, so that a stranger does not lock out a colleague with ten guesses.
    PER_NAME = Attempts(50, 300.0)
    MAX_KEYS = 10_000

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._failures: dict[tuple[str, str], list[float]] = {}
        self._lock = threading.Lock()

    def wait(self, address: str, name: str) -> float:
        """Seconds until the next attempt is let pass; 0 for now."""
        with self._lock:
            return max(
                self._left(("address", address), self.PER_ADDRESS),
                self._left(("name", name), self.PER_NAME),
            )

    def failed(self, address: str, name: str) -> None:
        now = self._clock()
        with self._lock:
            if len(self._failures) >= self.MAX_KEYS:
                horizon = now - max(self.PER_ADDRESS.seconds, self.PER_NAME.seconds)
                self._failures = {key: times for key, times in self._failures.items() if times[-1] > horizon}
            for key in ("address", address), ("name", name):
                self._failures.setdefault(key, []).append(now)

    def succeeded(self, address: str, name: str) -> None:
        with self._lock:
            self._failures.pop(("address", address), None)
            self._failures.pop(("name", name), None)

    def _left(self, key: tuple[str, str], rule: Attempts) -> float:
        now = self._clock()
        recent = [time for time in self._failures.get(key, ()) if time > now - rule.seconds]
        if not recent:
            self._failures.pop(key, None)
            return 0.0
        self._failures[key] = recent
        return recent[-rule.most] + rule.seconds - now if len(recent) >= rule.most else 0.0


def check_name(name: str) -> None:
    """Raises WorkspaceError for what cannot be an annotator's name."""
    if not NAME.fullmatch(name):
        raise WorkspaceError(
            f"{shown(name)} is not a name for an annotator; use up to 64 letters, digits, spaces or . _ @ -"
        )


def _read(path: Path) -> dict[str, str]:
    try:
        content: Any = read_yaml(path)
    except FileNotFoundError:
        return {}
    except (OSError, DocumentError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise WorkspaceError(f"{path} cannot be read ({reason}); fix it, or remove it and add them again") from None
    try:
        hashes = {entry["name"]: entry["password"] for entry in content["annotators"]}
        sound = all(
            isinstance(name, str) and NAME.fullmatch(name) and isinstance(hash, str) and hash.startswith("$argon2")
            for name, hash in hashes.items()
        )
    except (TypeError, KeyError):
        sound = False
    if not sound:
        raise WorkspaceError(
            f"{path} is not a list of annotators with Argon2 hashes; remove it and use --add-annotator NAME"
        )
    return hashes
