"""What is looked at to recognise a format: the beginning of a file, and the folders of an archive."""

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from dentasam.data.links import is_link_out
from dentasam.documents.text import decoded

FIRST_BYTES = 65536
MAX_FOLDERS, MAX_ENTRIES = 20, 200


def first_text(path: Path, suffixes: tuple[str, ...] = (".json",)) -> str:
    """The first 64 KiB of a text file with one of these suffixes; empty for any other and where it cannot be read."""
    if path.suffix.lower() not in suffixes or not path.is_file() or is_link_out(path):
        return ""
    try:
        with path.open("rb") as file:
            return decoded(file.read(FIRST_BYTES), "replace")
    except OSError:
        return ""


def roots_of(folder: Path) -> list[Path]:
    """The folder, and the one in it as long as it holds nothing else: archives often hold all in one folder."""
    found = [folder]
    while len(inner := list(found[-1].iterdir())) == 1 and inner[0].is_dir():
        found.append(inner[0])
    return found


def some_files(folder: Path, suffix: str, count: int = 3) -> Iterator[Path]:
    """A few files with a suffix, such as `.json`, from a folder and from each of its first subfolders.

    Only the beginnings of long folders are listed.
    """
    folders = [folder]
    with suppress(OSError), os.scandir(folder) as entries:
        folders += [Path(entry.path) for entry in islice(entries, MAX_ENTRIES) if entry.is_dir()][:MAX_FOLDERS]
    for place in folders:
        with suppress(OSError), os.scandir(place) as entries:
            named = (entry.path for entry in islice(entries, MAX_ENTRIES) if entry.name.lower().endswith(suffix))
            yield from map(Path, islice(named, count))
