"""File names that are written differently in a dataset and on the disk.

macOS stores an umlaut as two characters (NFD) where other systems store one (NFC), and Windows writes `\\` between
folders. Names are compared as written first, then by their canonical form.
"""

import os
import unicodedata
from pathlib import Path, PurePosixPath


class AmbiguousName(Exception):
    """Two entries have the canonical form of the name, and neither has the name itself."""


def canonical(name: str) -> str:
    """The form in which two ways to write the same accented name are equal (NFC)."""
    return unicodedata.normalize("NFC", name)


def portable(name: str) -> str:
    """The name with `/` between folders, where Windows writes a backslash."""
    return name.replace("\\", "/")


class Spelling:
    """Finds files and folders by name; the names in each folder are read once."""

    def __init__(self) -> None:
        self._listed: dict[Path, dict[str, list[str]]] = {}

    def find(self, folder: Path, name: str) -> Path | None:
        """The path of the entry `name`, relative to `folder`; None where there is none. Raises AmbiguousName."""
        plain = portable(name)
        path = Path(os.path.normpath(folder / plain))
        if plain.isascii() or os.path.exists(path):
            return path if os.path.exists(path) else None
        found = folder
        for part in PurePosixPath(os.path.normpath(plain)).parts:
            if not os.path.lexists(found / part):
                same = self._entries(found).get(canonical(part), [])
                if len(same) > 1:
                    raise AmbiguousName(" and ".join(repr(entry) for entry in sorted(same)))
                if not same:
                    return None
                part = same[0]
            found /= part
        return found

    def _entries(self, folder: Path) -> dict[str, list[str]]:
        """The names in a folder by their canonical form."""
        if folder not in self._listed:
            names: dict[str, list[str]] = {}
            try:
                for entry in os.listdir(folder):
                    names.setdefault(canonical(entry), []).append(entry)
            except OSError:
                pass
            self._listed[folder] = names
        return self._listed[folder]
