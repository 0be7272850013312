"""Links that lead out of a folder: a folder from somebody else could show or copy any file of the user by them.

An image, mask or annotation file that is such a link, or lies in a folder that is one, is read only where the user
asks for it. Links to another place in the same folder are followed, and so is a link that the user names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from dentasam.errors import DatasetError

OPTION: Final = "--follow-links"


class Bounds:
    """Folders, or single files, that are read, by whatever names they are reached."""

    def __init__(self, *places: Path) -> None:
        self._places = [Path(os.path.realpath(place)) for place in places]
        self._is_inside: dict[str, bool] = {}

    def leads_out(self, path: Path) -> bool:
        """Whether a file or folder that exists really lies outside of all these places."""
        if os.path.islink(path):
            return os.path.exists(path) and not self.holds(path)
        # Most files are no links: where their folder really is, is found once for all of them.
        folder = os.path.dirname(path)
        inside = self._is_inside.get(folder)
        if inside is None:
            inside = self._is_inside[folder] = self.holds(Path(folder))
        return not inside and not self.holds(path)

    def holds(self, path: Path) -> bool:
        """Whether a path now leads to one of these places or into it; folders may have been exchanged meanwhile."""
        real = os.path.realpath(path)
        return any(Path(real).is_relative_to(place) for place in self._places)


# The places of the source that is being imported; None where links are followed, and outside of an import. Readers
# of formats find files in many ways, and all open them by a few functions, which ask here.
_source: ContextVar[Bounds | None] = ContextVar("source", default=None)


@contextmanager
def reading_source(*places: Path, follow_links: bool = False) -> Iterator[None]:
    """Within the block `is_link_out` is true, and `check_no_link_out` raises, for files outside of these places."""
    token = _source.set(None if follow_links else Bounds(*places))
    try:
        yield
    finally:
        _source.reset(token)


def is_link_out(path: Path) -> bool:
    """Whether a file of the source that is being imported is a link to a file outside of it."""
    bounds = _source.get()
    return bounds is not None and bounds.leads_out(path)


def check_no_link_out(path: Path) -> None:
    """Raises DatasetError where a file of the source that is being imported is a link to a file outside of it."""
    if is_link_out(path):
        raise DatasetError(
            f"{path} is a link to a file outside of the folder; put the file itself there, or give {OPTION}"
        )
