"""New values that a secret key derives from the original ones, and the map back; both stay in one file, apart.

Every new value is an HMAC-SHA256 of the original under the key: the same key gives the same values in every run, so
that references between files hold, and nobody without the key can test a guess. The file also lists original and new
values, for those who may go back. Only its owner can read it.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dentasam.documents.error import DocumentError
from dentasam.documents.json_document import read_json
from dentasam.documents.text import DATASET_BYTES
from dentasam.errors import OutputError
from dentasam.files.atomic_write import write_atomically

FORMAT, VERSION = "dentasam de-identification key", 1
KEY_BYTES = 32
# Dates move into the past by one day to ten years.
MAX_SHIFT_DAYS = 3650
MAPS = ("patients", "uids", "files", "outputs")
OTHERS = 0o077


@dataclass
class KeyedMap:
    """key: 32 secret bytes. The maps lead from new values to original ones.

    patients: by pseudonym, `{"originals": [...], "days_earlier": n}`. uids and files: new name to original name.
    outputs: by output folder, the source folder.
    """

    key: bytes
    patients: dict[str, dict[str, Any]] = field(default_factory=dict)
    uids: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def new() -> KeyedMap:
        return KeyedMap(secrets.token_bytes(KEY_BYTES))

    def uid(self, original: str) -> str:
        """A UID of PS3.5 B.2 (`2.25.` and a UUID as a decimal number) for a UID."""
        digest = self._digest("uid", original)
        made = f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}"
        self.uids[made] = original
        return made

    def patient(self, identity: Sequence[str], original: Mapping[str, str]) -> tuple[str, int]:
        """The pseudonym of a patient, and by how many days the patient's dates move into the past (1 to 3650).

        identity: what distinguishes the patient, such as ID and issuer. original: what goes into the map.
        """
        told_apart = "\0".join(text.strip().casefold() for text in identity)
        pseudonym = "P" + self._digest("patient", told_apart).hex()[:16].upper()
        days = 1 + int.from_bytes(self._digest("days", told_apart)[:8], "big") % MAX_SHIFT_DAYS
        entry = self.patients.setdefault(pseudonym, {"originals": [], "days_earlier": days})
        if dict(original) not in entry["originals"]:
            entry["originals"].append(dict(original))
        return pseudonym, days

    def file(self, original: str) -> str:
        """A name for a file or folder, by its path inside the source."""
        made = self._digest("file", original).hex()[:16]
        self.files[made] = original
        return made

    def _digest(self, kind: str, original: str) -> bytes:
        # The kind keeps a UID and a patient's ID of the same text from getting related values.
        return hmac.digest(self.key, f"{kind}\0{original}".encode("utf-8", "surrogatepass"), "sha256")

    def save(self, path: Path) -> None:
        """Writes the file with mode 0600, from its first byte on. Raises OutputError."""
        content = {"format": FORMAT, "version": VERSION, "key": self.key.hex()}
        document = json.dumps(content | {name: getattr(self, name) for name in MAPS}, indent=1)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with write_atomically(path, durable=True, private=True) as draft:
                draft.write_text(document, encoding="utf-8", errors="surrogatepass")
        except OSError as error:
            raise OutputError(f"{path} cannot be written ({error.strerror}); name another --key") from None


def load_key(path: Path) -> KeyedMap:
    """Reads a key file. Raises OutputError where it is not one, or where others than its owner may read it."""
    try:
        mode = path.stat().st_mode
        content = read_json(path, DATASET_BYTES)
    except OSError as error:
        raise OutputError(f"{path} cannot be read ({error.strerror}); name another --key") from None
    except DocumentError as error:
        raise OutputError(f"{path} is not a key file of dentasam ({error}); name another --key") from None
    if os.name != "nt" and mode & OTHERS:
        raise OutputError(f"{path} can be read by others than its owner; chmod 600 it")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise OutputError(f"{path} is not a key file of dentasam; name another --key")
    if content.get("version") != VERSION:
        raise OutputError(f"{path} was written by another version of dentasam; use that one, or name another --key")
    maps = [content.get(name) for name in MAPS]
    try:
        key = bytes.fromhex(content["key"])
    except (KeyError, TypeError, ValueError):
        key = b""
    if len(key) != KEY_BYTES or not all(isinstance(each, dict) for each in maps):
        raise OutputError(f"{path} is a damaged key file; restore it from a copy")
    return KeyedMap(key, *(each or {} for each in maps))
