"""The journal of an import: its key, then a line for each image that is done, with its objects.

A line that a killed import wrote only in part, or that was damaged since, ends what can be believed: it and all lines
behind it are removed, and their images are imported again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.documents.json_document import parse_json
from dentasam.files.regular_file import without_link
from dentasam.files.whole_file import write_whole


class Entry(NamedTuple):
    """One image that is done. where: its record's name; source: the file it was copied from."""

    where: str
    source: Path
    image: ImageRecord


class Journal:
    """The open journal. Raises OSError."""

    def __init__(self, path: Path, out: Path, key: str) -> None:
        """key: begins a new journal; of one that is there see `key_of`. out: the folder of the finished dataset."""
        self._path, self._out = path, out
        _drop_cut_line(path)
        if not path.exists() or path.stat().st_size == 0:
            write_whole(path, (json.dumps({"import": key}) + "\n").encode())
        self._file = open(path, "a", encoding="utf-8", opener=without_link)  # noqa: SIM115

    def add(self, where: str, source: Path, image: ImageRecord) -> None:
        """image: as it is in the finished dataset."""
        line = json.dumps({"where": where, **_packed(image), "path": str(source)}, ensure_ascii=True)
        self._file.write(f"{line}\n")
        self._file.flush()

    def entries(self) -> Iterator[Entry]:
        """The images that are done, one at a time."""
        with self._path.open("rb") as file:
            next(file)
            for line in file:
                yield _entry(line, self._out)

    def whole_entries(self, report: Callable[[str], None]) -> Iterator[Entry]:
        """As `entries`, up to the first damaged line, which is removed with those behind it and reported."""
        with self._path.open("rb") as file:
            kept = len(next(file))
            for number, line in enumerate(file, start=2):
                try:
                    entry = _entry(line, self._out)
                except (ValueError, KeyError, TypeError, AttributeError):
                    report(f"{self._path}: line {number} is damaged; it and what follows are imported again")
                    os.truncate(self._path, kept)
                    return
                kept += len(line)
                yield entry

    def close(self) -> None:
        """Ends writing; what is there can still be read."""
        self._file.close()


def key_of(path: Path) -> str | None:
    """The key of a journal that is there, None where there is none or only a part of a key. Raises OSError."""
    try:
        with path.open("rb") as file:
            first = file.readline()
    except FileNotFoundError:
        return None
    if not first.endswith(b"\n"):
        return None
    try:
        return str(parse_json(first)["import"])
    except (ValueError, KeyError, TypeError):
        return ""


def _drop_cut_line(path: Path) -> None:
    """Removes the last line of a journal where a killed import wrote only a part of it."""
    if not path.exists():
        return
    with open(path, "r+b", opener=without_link) as file:
        size = file.seek(0, os.SEEK_END)
        kept = size
        while kept:
            start = max(0, kept - 65536)
            file.seek(start)
            found = file.read(kept - start).rfind(b"\n")
            if found >= 0:
                kept = start + found + 1
                break
            kept = start
        if kept < size:
            file.truncate(kept)


def _packed(image: ImageRecord) -> dict[str, Any]:
    return {
        "id": image.id,
        "file_name": image.file_name,
        "size": [image.width, image.height],
        "tags": list(image.tags),
        "extra": dict(image.extra),
        "objects": [_packed_object(record) for record in image.objects],
        "crowds": [_packed_object(record) for record in image.crowds],
    }


def _packed_object(record: ObjectRecord) -> list[Any]:
    return [record.id, record.category, record.segmentation, record.bbox, record.area, dict(record.extra)]


def _entry(line: bytes, out: Path) -> Entry:
    content = parse_json(line)
    width, height = content["size"]
    image = ImageRecord(
        content["id"],
        out / content["file_name"],
        content["file_name"],
        width,
        height,
        tuple(content["tags"]),
        tuple(_unpacked_object(item) for item in content["objects"]),
        tuple(_unpacked_object(item) for item in content["crowds"]),
        content["extra"],
    )
    return Entry(content["where"], Path(content["path"]), image)


def _unpacked_object(item: list[Any]) -> ObjectRecord:
    id, category, segmentation, bbox, area, extra = item
    return ObjectRecord(id, category, segmentation, tuple(bbox), area, extra)
