"""Where the image files of a COCO dataset are.

`file_name` is relative to the JSON's folder, or to another of the folders that tools use::

    set.json  images/a.png                                 the JSON's folder, or images/ beside it
    train/_annotations.coco.json  train/a.jpg              Roboflow
    annotations/instances_default.json  images/default/    CVAT; also images/
    annotations/instances_val2017.json  val2017/           the COCO dataset itself

The folder that holds most of the named files is taken; of several such folders, the first.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from dentasam.data.coco.problem import WhatAndFix
from dentasam.data.links import OPTION, Bounds
from dentasam.data.spelling import AmbiguousName, Spelling
from dentasam.errors import DatasetError

ANNOTATIONS, IMAGES, SUBSET = "annotations", "images", "instances_"
MAX_SHOWN_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image's path, absolute, and its name relative to a folder of the dataset."""

    path: Path
    name: str


class ImageFiles:
    """Finds files by the names in a dataset; `folder` is what the names are relative to."""

    def __init__(
        self,
        json: Path,
        names: Iterable[str],
        images: Path | None = None,
        follow_links: bool = False,
        inside: Path | None = None,
    ) -> None:
        """json: the dataset's absolute path. images: the folder of the images, where the user names it.

        follow_links: also find files that are links out of the dataset's folder. inside: the dataset's folder, where
        that is one above the JSON's.

        Raises DatasetError where `images` is not a folder.
        """
        if images is not None and not images.is_dir():
            raise DatasetError(f"{images} is not a folder; name the folder that holds the dataset's images")
        self._spelling = Spelling()
        self._beside = json.parent
        self._bounds = (
            None if follow_links else Bounds(*own_folders(json, images), *([] if inside is None else [inside]))
        )
        self._usual = [Path(os.path.abspath(images))] if images is not None else list(_usual_folders(json))
        self.folder = self._fullest([name for name in names if not _is_absolute(name)])

    def find(self, name: str) -> ImageFile | WhatAndFix:
        """The file of this name, or what is wrong and the fix."""
        shown = repr(name if len(name) <= MAX_SHOWN_CHARACTERS else f"{name[:MAX_SHOWN_CHARACTERS]}…")
        leaves = f"its path {shown} leaves the dataset's folder", "give a path relative to the JSON, without '..'"
        relative = self._inside(name) if _is_absolute(name) else None
        if relative is not None:
            folder, name = relative
        elif escapes(name):
            return leaves
        else:
            folder = self.folder
        try:
            path = self._on_disk(folder, name)
        except AmbiguousName as error:
            return f"its file {shown} may be either of {error}", "rename one of them"
        if path is None:
            fix = "put it there, name the folder of the images, or take the image out"
            return f"its file {shown} is missing in {folder}", fix
        if self._bounds is not None and self._bounds.leads_out(path):
            fix = f"put the file itself there, name its folder with --images, or give {OPTION}"
            return f"its file {shown} is a link to a file outside of the folder", fix
        return ImageFile(path, name)

    def _fullest(self, names: list[str]) -> Path:
        best, most = self._usual[0], -1
        for folder in self._usual:
            held = sum(not escapes(name) and self._holds(folder, name) for name in names)
            if held > most:
                best, most = folder, held
            if most == len(names):
                break
        return best

    def _holds(self, folder: Path, name: str) -> bool:
        try:
            return self._on_disk(folder, name) is not None
        except AmbiguousName:
            return True

    def _inside(self, name: str) -> tuple[Path, str] | None:
        """The folder of the dataset that an absolute path lies in, and the path relative to it."""
        path = Path(os.path.normpath(name))
        for folder in (self.folder, self._beside, *self._usual):
            for inner, outer in ((path, folder), (path.resolve(), folder.resolve())):
                if inner.is_relative_to(outer) and inner != outer:
                    return folder, inner.relative_to(outer).as_posix()
        return None

    def _on_disk(self, folder: Path, name: str) -> Path | None:
        path = self._spelling.find(folder, name)
        return path if path is not None and path.is_file() else None


def escapes(name: str) -> bool:
    """Whether a file name is absolute, on any system, or leads out of the folder that it is relative to."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    if posix.is_absolute() or windows.root or windows.drive or "\0" in name:
        return True
    depth = 0
    for part in windows.parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return depth == 0


def _is_absolute(name: str) -> bool:
    return "\0" not in name and Path(name).is_absolute()


def own_folders(json: Path, images: Path | None = None) -> Iterator[Path]:
    """The folders that a dataset's files lie in, below which no link leads out of it."""
    yield json.parent
    if json.parent.name.lower() == ANNOTATIONS:
        yield json.parent.parent
    if images is not None:
        yield images


def _usual_folders(json: Path) -> Iterator[Path]:
    yield json.parent
    yield json.parent / IMAGES
    if json.parent.name.lower() == ANNOTATIONS:
        root, subset = json.parent.parent, json.stem.removeprefix(SUBSET)
        yield from (root / IMAGES / subset, root / IMAGES, root / subset, root)
