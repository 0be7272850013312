"""Which images are charted, what they are called in the results, and which of them a shard takes.

An image's name is its path from the deepest folder that holds everything that was given, with `/` between folders.
So it depends neither on the order of the arguments nor on whether a folder or its files are given, and no two images
have the same name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dentasam.data.images.listing import LeftOut, images_in
from dentasam.errors import ImageError

ARCHIVE = re.compile(r".*\.(zip|rar|7z|tar|tgz|tbz2|txz|tar\.\w+)", re.IGNORECASE)
TAKEN = "a folder, a PNG, JPEG, TIFF or DICOM file is taken"

# Bytes of a file's name that leave room for the endings of its results; file systems allow 255.
LONGEST_NAME = 240

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class NamedImage:
    """An image's absolute path, and its name in the results."""

    path: Path
    name: str


@dataclass(frozen=True)
class Shard:
    """One of `count` equal parts of a list; number: 1 … count."""

    number: int = 1
    count: int = 1

    @staticmethod
    def parse(text: str) -> Shard:
        """`3/16` is the third of 16. Raises ValueError with what is wrong."""
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip(), re.ASCII)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise ValueError(f"{text!r} is not I/N with I from 1 to N, such as 3/16")
        return Shard(int(match[1]), int(match[2]))

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        """Every `count`-th item, from the `number`-th on: neighbours, which are alike in size, go to all shards."""
        return items[self.number - 1 :: self.count]

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def named_images(given: Sequence[Path], out: Path, follow_links: bool = False) -> tuple[list[NamedImage], list[str]]:
    """The images in the files and folders that were given, sorted by name, and a line for each reason to leave out.

    Folders are listed with their subfolders as by `images_in`, without `out`; `follow_links` is as there. Raises
    ImageError for a path that does not exist, for an archive, and where there is no image at all.
    """
    places = [Path(os.path.abspath(path)) for path in given]
    for path, place in zip(given, places, strict=True):
        _check_taken(path, place)
    root = Path(os.path.commonpath([place if place.is_dir() else place.parent for place in places]))
    left_out = LeftOut()
    found: dict[str, Path] = {}
    for place in dict.fromkeys(places):
        for path in _images_at(place, Path(os.path.abspath(out)), left_out, follow_links):
            name = path.relative_to(root).as_posix()
            shown = name.encode("utf-8", "backslashreplace").decode()
            if shown != name or any(ord(character) < 32 for character in name):
                left_out.add(repr(shown), "its name is not plain text; rename it")
            elif len(os.fsencode(path.name)) > LONGEST_NAME:
                left_out.add(
                    name, f"its name has more than {LONGEST_NAME} bytes, so its results have no room; shorten it"
                )
            else:
                found[name] = path
    if not found:
        held = "; ".join(left_out.lines()) or "no PNG, JPEG, TIFF or DICOM image there"
        raise ImageError(f"{', '.join(map(str, given))}: {held}")
    return [NamedImage(found[name], name) for name in sorted(found)], left_out.lines()


def _check_taken(path: Path, place: Path) -> None:
    if not place.exists():
        raise ImageError(f"{path} does not exist; check the path")
    if place.is_file() and ARCHIVE.fullmatch(place.name):
        raise ImageError(f"{path} is an archive in one file; unpack it and give its folder ({TAKEN})")


def _images_at(place: Path, out: Path, left_out: LeftOut, follow_links: bool) -> Iterator[Path]:
    if place.is_dir():
        yield from (path for _, path in images_in(place, left_out, out, follow_links))
    else:
        yield place
