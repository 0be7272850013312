"""Output folders: checked before the work starts, and never mixed with files that are there already."""

import tempfile
from pathlib import Path

from dentasam.errors import OutputError


def made_folder(path: Path) -> list[str]:
    """Makes the folder where it is missing and returns the names it holds, sorted.

    Raises OutputError where the path is a file or the folder cannot be made, read or written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
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
