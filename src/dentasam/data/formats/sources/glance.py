"""The beginning of a file, by which its format is recognised."""

from pathlib import Path

FIRST_BYTES = 65536


def first_text(path: Path, suffixes: tuple[str, ...] = (".json",)) -> str:
    """The first 64 KiB of a text file with one of these suffixes; empty for any other and where it cannot be read."""
    if path.suffix.lower() not in suffixes or not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            return file.read(FIRST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
