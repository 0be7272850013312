"""Output folders: checked before the work starts, and never mixed with files that are there already."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dentasam.errors import OutputError
from dentasam.files.atomic_write import remove_stale_drafts


def made_folder(path: Path) -> list[str]:
    """Makes the folder where it is missing and returns the names it holds, sorted, without drafts of killed writers.

    Raises OutputError where the path is a file or the folder cannot be made, read or written.
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
