"""File names that no other file has, on any file system."""

from __future__ import annotations

from pathlib import PurePosixPath

from dentasam.data.spelling import canonical


def comparable(name: str) -> str:
    """The form in which names are equal that Windows or macOS cannot tell apart: accents in one form, no case."""
    return canonical(name).casefold()


class FreeNames:
    """Gives each name once.

    without_suffix: names that differ in their suffix alone count as equal, where a file of another suffix lies beside
    each.
    """

    def __init__(self, without_suffix: bool = False) -> None:
        self._without_suffix = without_suffix
        self._taken: set[str] = set()

    def free(self, name: str, id: int) -> str:
        """The name itself, or `ID-NAME`, or `ID-2-NAME` and so on, the first that is free, which is then taken."""
        path = PurePosixPath(name)
        found, count = name, 1
        while self._form(found) in self._taken:
            lead = f"{id}-{count}" if count > 1 else str(id)
            found, count = path.with_name(f"{lead}-{path.name}").as_posix(), count + 1
        self.take(found)
        return found

    def take(self, name: str) -> None:
        """Marks a name as taken."""
        self._taken.add(self._form(name))

    def _form(self, name: str) -> str:
        return comparable(PurePosixPath(name).with_suffix("").as_posix() if self._without_suffix else name)
