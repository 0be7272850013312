"""The images of a folder, and a line for everything in it that looks like an image and is left out.

Linked files are opened like others if they lead to a place in the folder; those that lead out of it only where the
user asks for it. Linked and hidden folders are not entered. Files of other kinds are ignored without a line, and so
are this program's own folders.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dentasam.data.images.dicom.detect import HEAD_BYTES
from dentasam.data.images.kind import FOREIGN_SUFFIXES, IMAGE_SUFFIXES, READ_KINDS, kind_of_bytes
from dentasam.data.links import OPTION, Bounds

WORKSPACE_SUFFIX = ".dentasam"
# AppleDouble files lie beside each file on disks that macOS wrote, and carry its name.
APPLE_DOUBLE = "._"
# A suffix of digits is the end of a DICOM UID, which archives use as a file's name.
NO_SUFFIX = re.compile(r"(\.\d*)?")
# A hidden folder may be a repository of any size; it is reported if one of its first files is an image.
MAX_FILES_LOOKED_AT = 1000
LINK_OUT = f"it is a link to a file outside of this folder; put the file itself here, or give {OPTION}"
NOT_REGULAR = "it is a pipe, a socket or a device and not a file; take it out of the folder"
# So many files with the same reason share one line, which names the first few.
MIN_GROUP, MAX_NAMED = 5, 3


@dataclass
class LeftOut:
    """The files that are left out and the reasons, in few lines however many files there are."""

    _entries: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, reason: str) -> None:
        """reason: "it is …", which follows "NAME is left out: "."""
        self._entries.append((name, reason))

    def lines(self) -> list[str]:
        """A line for each, or one for five or more whose reasons differ only in numbers, quotes and brackets."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name, reason in self._entries:
            bare = reason.replace(name, "")
            groups.setdefault(re.sub(r"\(.*?\)|\d+|'.*?'", "", bare), []).append((name, reason))
        return [line for group in groups.values() for line in _lines(group)]


def _lines(group: list[tuple[str, str]]) -> Iterator[str]:
    if len(group) < MIN_GROUP:
        for name, reason in group:
            yield f"{name} is left out: {reason}"
        return
    shown = ", ".join(name for name, _ in group[:MAX_NAMED])
    yield f"{shown} and {len(group) - MAX_NAMED} more are left out; the first: {group[0][1]}"


def images_in(
    folder: Path, left_out: LeftOut, apart: Path | None = None, follow_links: bool = False
) -> Iterator[tuple[str, Path]]:
    """Name and path of each file that should be an image, in this folder and its subfolders without `apart`.

    follow_links: also files that are links out of the folder. Adds to `left_out` what is left out.
    """
    bounds = None if follow_links else Bounds(folder)
    for place, folders, files in os.walk(folder, onerror=lambda error: _unreadable(folder, error, left_out)):
        inner = Path(place)
        entered = []
        for name in sorted(folders):
            path = inner / name
            if name.endswith(WORKSPACE_SUFFIX) or path == apart:
                continue
            shown = path.relative_to(folder).as_posix()
            if path.is_symlink():
                left_out.add(
                    f"{shown}/", "it is a linked folder; put the images themselves here, or label its target"
                )
            elif name.startswith("."):
                if _holds_image(path):
                    left_out.add(f"{shown}/", "it is a hidden folder; rename it without the leading dot")
            else:
                entered.append(name)
        folders[:] = entered
        for name in sorted(files):
            path = inner / name
            reason = _refusal(path, bounds)
            if reason is None:
                yield path.relative_to(folder).as_posix(), path
            elif reason:
                left_out.add(path.relative_to(folder).as_posix(), reason)


def _refusal(path: Path, bounds: Bounds | None) -> str | None:
    """Why a file is left out; None for an image, empty for a file that nobody would take for an image."""
    suffix = path.suffix.lower()
    if path.name.startswith(APPLE_DOUBLE):
        return ""
    if path.name.startswith("."):
        return "it is a hidden file; rename it without the leading dot" if suffix in IMAGE_SUFFIXES else ""
    if bounds is not None and path.is_symlink() and bounds.leads_out(path):
        # Nothing is read of it, so its name alone tells whether it may be an image.
        return LINK_OUT if suffix in IMAGE_SUFFIXES or NO_SUFFIX.fullmatch(suffix) else ""
    if suffix in IMAGE_SUFFIXES:
        # A reader would wait for what comes through a pipe.
        return NOT_REGULAR if path.exists() and not path.is_file() else None
    kind = _kind(path)
    if kind in READ_KINDS:
        return (
            None if NO_SUFFIX.fullmatch(suffix) else f"it is {kind} under another name; rename it to .{_suffix(kind)}"
        )
    if kind:
        return f"it is {kind}, which is not read; convert it to PNG"
    return f"{suffix} files are not read; convert it to PNG" if suffix in FOREIGN_SUFFIXES else ""


def _kind(path: Path) -> str:
    """The kind by the first bytes; empty for a file that cannot be read, a pipe or a device."""
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            return kind_of_bytes(file.read(HEAD_BYTES))
    except OSError:
        return ""


def _suffix(kind: str) -> str:
    return {"PNG": "png", "JPEG": "jpg", "TIFF": "tif"}.get(kind, "dcm")


def _holds_image(folder: Path) -> bool:
    seen = 0
    for _, _, files in os.walk(folder):
        for name in files:
            if Path(name).suffix.lower() in IMAGE_SUFFIXES | FOREIGN_SUFFIXES:
                return True
            seen += 1
            if seen >= MAX_FILES_LOOKED_AT:
                return False
    return False


def _unreadable(folder: Path, error: OSError, left_out: LeftOut) -> None:
    name = Path(error.filename or folder)
    shown = name.relative_to(folder).as_posix() if name.is_relative_to(folder) else str(name)
    left_out.add(f"{shown}/", f"the folder cannot be read ({error.strerror}); change its permissions")
