"""Archives as sources of an import."""

from collections.abc import Callable
from pathlib import Path

from dentasam.errors import DatasetError


def is_archive(path: Path) -> bool:
    """Whether a file is a zip or tar archive."""
    return False


def unpack(archive: Path, into: Path, report: Callable[[str], None]) -> Path:
    """Unpacks an archive. Raises DatasetError."""
    raise DatasetError(f"{archive} is an archive; unpack it")
