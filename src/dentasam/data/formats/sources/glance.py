"""What is looked at to recognise a format: the beginning of a file, and the folders of an archive."""

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


def roots_of(folder: Path) -> list[Path]:
    """The folder, and the one in it as long as it holds nothing else: archives often hold all in one folder."""
    found = [folder]
    while len(inner := list(found[-1].iterdir())) == 1 and inner[0].is_dir():
        found.append(inner[0])
    return found
