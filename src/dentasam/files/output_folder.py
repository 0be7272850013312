"""Output folders: checked before the work starts, and never mixed with files that are there already.

A folder that is written into again may come from somebody else, or lie where others may write. A link in it, such as
`images` to another folder, would have files overwritten or removed there. So nothing is written through a link below
an output folder; the folder itself may be a link, or be reached by one, since the user named it.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath

from dentasam.errors import OutputError
from dentasam.files.atomic_write import remove_stale_drafts
from dentasam.files.folder_entries import entries_under, target_of


def made_folder(path: Path) -> list[str]:
    """Makes the folder where it is missing and returns the names it holds, sorted, without drafts of killed writers.

    A command that goes on where the folder holds something also calls `check_no_links`. Raises OutputError where the
    path is a file or the folder cannot be made, read or written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
        remove_stale_drafts(path)
        return sorted(inner.name for inner in path.iterdir())
    except (FileExistsError, NotADirectoryError):
        raise OutputError(f"{path} is a file; name a folder") from None
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}); choose another folder") from None


def check_no_links(folder: Path, names: Iterable[str] | None = None) -> None:
    """Raises OutputError where a link lies in a folder that a command goes on to write in; writes nothing.

    Before anything below `folder` is written or removed, but after it is known that the folder is the command's own:
    everything in it is looked at. names: the paths inside the folder that will be written, where it may hold other
    things, too; then these, the folders that lead to them, and what lies in them are looked at. A file right in
    `folder` that is replaced as a whole (`write_whole`, `write_atomically`) needs no check. `folder` may be missing,
    or be a link.
    """
    if names is None:
        link = _link_under(folder)
    else:
        link = _link_on_the_way(folder, names)
    if link is not None:
        raise OutputError(
            f"{link} is a link to {target_of(link)}, and nothing is written through links below an output folder; "
            "delete it, or choose another --out"
        )


def _link_under(folder: str | Path) -> str | None:
    return next((entry.path for entry in entries_under(folder) if entry.is_symlink()), None)


def _link_on_the_way(folder: Path, names: Iterable[str]) -> str | None:
    modes: dict[str, int] = {}
    for name in names:
        path = os.fspath(folder)
        for part in PurePath(name).parts:
            path = os.path.join(path, part)
            if path not in modes:
                try:
                    modes[path] = os.lstat(path).st_mode
                except OSError:
                    modes[path] = 0  # what is missing is no link
            if stat.S_ISLNK(modes[path]):
                return path
            if not modes[path]:
                break
        if stat.S_ISDIR(modes.get(path, 0)) and (link := _link_under(path)) is not None:
            return link
    return None


def claim_folder(path: Path) -> Path:
    """Makes the folder, or takes an empty one. Raises OutputError as `made_folder`, and where it holds anything."""
    held = made_folder(path)
    if held:
        raise OutputError(f"{path} is in use (it holds {held[0]}); choose another folder or remove it")
    return path


class MadeFolders:
    """Remembers which folders of a path are missing, so that they can be removed again after an error."""

    def __init__(self, path: Path) -> None:
        self._missing = [folder for folder in (path, *path.parents) if not folder.exists()]

    def remove(self) -> None:
        """Removes the folders that were missing, as far as they are empty."""
        for folder in self._missing:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def all_or_nothing(path: Path) -> Iterator[Path]:
    """A folder as `claim_folder`; after an exception in the block it is as before, empty or missing.

    Raises OutputError as `claim_folder`.
    """
    made = MadeFolders(path)
    claim_folder(path)
    try:
        yield path
    except BaseException:
        for inner in path.iterdir():
            if inner.is_dir() and not inner.is_symlink():
                shutil.rmtree(inner, ignore_errors=True)
            else:
                inner.unlink(missing_ok=True)
        made.remove()
        raise
