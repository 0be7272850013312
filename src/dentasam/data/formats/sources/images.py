"""The image files of a source, found by the names that annotations give them.

Annotations name images by a path on another machine, by an address, relative to themselves or by the file's name
alone. Only files that were listed in the source are ever found, so that no name leads out of it.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path, PurePosixPath

from dentasam.data.images.listing import LeftOut, images_in
from dentasam.data.images.read import read_header
from dentasam.data.spelling import canonical, portable
from dentasam.errors import DatasetError

MAX_SHOWN_CHARACTERS = 100


class ImageNotFound(DatasetError):
    """An annotation names an image that is not there, or that cannot be told from others."""


@dataclass(frozen=True, slots=True)
class SourceImage:
    """An image file. name: its path in the source, with `/`; path: absolute; height and width in pixels, if known."""

    name: str
    path: Path
    known_size: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels, from the file's header if they are not known. Raises ImageError."""
        if self.known_size is not None:
            return self.known_size
        header = read_header(self.path)
        return header.height, header.width


class SourceImages:
    """The image files that the annotations of a source may name. They are listed when one is first asked for."""

    def __init__(
        self, images: Iterable[SourceImage], place: str, root: Path | None = None, *, partial: bool = False
    ) -> None:
        """images: sorted by name. place: where the files are, for messages. root: the folder that names are relative
        to, where there is one; without it the images lie in one place, whatever folders a format has for them.
        partial: annotations may be of some of the images alone, and of others that are not here.
        """
        self.place, self.root, self.partial = place, root, partial
        self._given = images

    @staticmethod
    def in_folder(folder: Path, report: Callable[[str], None], fixed: bool = False) -> SourceImages:
        """The image files in a folder and its subfolders.

        report: takes a line for what looks like an image and is left out. fixed: the user named this folder as that
        of the images, so that a format's own folders do not count.
        """
        root = Path(os.path.abspath(folder))
        return SourceImages(_listed(root, report), str(folder), None if fixed else root)

    def __len__(self) -> int:
        return len(self._images)

    @cached_property
    def _images(self) -> list[SourceImage]:
        return list(self._given)

    @cached_property
    def _by_path(self) -> dict[str, list[SourceImage]]:
        return self._index(lambda name: str(name))

    @cached_property
    def _by_file(self) -> dict[str, list[SourceImage]]:
        return self._index(lambda name: name.name.lower())

    @cached_property
    def _by_stem(self) -> dict[str, list[SourceImage]]:
        return self._index(lambda name: name.stem.lower())

    def _index(self, key: Callable[[PurePosixPath], str]) -> dict[str, list[SourceImage]]:
        index: dict[str, list[SourceImage]] = defaultdict(list)
        for image in self._images:
            index[key(PurePosixPath(canonical(image.name)))].append(image)
        return index

    def all(self) -> list[SourceImage]:
        """All images, by name."""
        return list(self._images)

    def within(self, folder: str) -> SourceImages:
        """The images under a folder of the source, named relative to it; all, where the images lie in one place."""
        if self.root is None:
            return self
        inner = f"{folder.strip('/')}/"
        return SourceImages(
            (
                SourceImage(image.name.removeprefix(inner), image.path, image.known_size)
                for image in self._images
                if image.name.startswith(inner)
            ),
            f"{self.place}/{folder}",
            self.root / folder,
        )

    def find(self, name: str, annotation: Path | None = None) -> SourceImage:
        """The image that an annotation names; annotation: its file, beside which the image may lie.

        Raises ImageNotFound where there is none, and where several fit equally well.
        """
        return self._find(name, annotation, with_suffix=True)

    def find_stem(self, name: str, annotation: Path | None = None) -> SourceImage:
        """As `find`, for a name whose suffix is missing or is that of another file, as in `labels/1.txt`."""
        return self._find(name, annotation, with_suffix=False)

    def _find(self, name: str, annotation: Path | None, *, with_suffix: bool) -> SourceImage:
        wanted = PurePosixPath(canonical(portable(name)).removeprefix("file://"))
        beside = self._folder_of(annotation)
        if with_suffix:
            for exact in (os.path.normpath(PurePosixPath(beside) / wanted), str(wanted)):
                if len(same := self._by_path.get(exact, [])) == 1:
                    return same[0]
        key = (wanted.name if with_suffix else wanted.stem).lower()
        found = (self._by_file if with_suffix else self._by_stem).get(key, [])
        if len(found) > 1:
            found = _best(found, lambda image: _shared_parts(image.name, wanted, with_suffix))
        if len(found) > 1:
            found = _best(found, lambda image: _shared_start(image.name, beside))
        if len(found) == 1:
            return found[0]
        shown = repr(name if len(name) <= MAX_SHOWN_CHARACTERS else f"{name[:MAX_SHOWN_CHARACTERS]}…")
        where = f"{annotation}: " if annotation else ""
        if found:
            several = " and ".join(image.name for image in found[:2])
            raise ImageNotFound(f"{where}its image {shown} may be {several}; name the folder with --images")
        raise ImageNotFound(
            f"{where}its image {shown} is not in {self.place}; put it there, or name its folder with --images"
        )

    def _folder_of(self, annotation: Path | None) -> str:
        """The annotation's folder relative to the source; empty where it lies elsewhere."""
        if annotation is None or self.root is None:
            return ""
        folder = Path(os.path.abspath(annotation)).parent
        return canonical(folder.relative_to(self.root).as_posix()) if folder.is_relative_to(self.root) else ""


def _listed(root: Path, report: Callable[[str], None]) -> Iterator[SourceImage]:
    left_out = LeftOut()
    for name, path in sorted(images_in(root, left_out)):
        yield SourceImage(name, path)
    for line in left_out.lines():
        report(line)


def _best(images: list[SourceImage], score: Callable[[SourceImage], int]) -> list[SourceImage]:
    scores = [score(image) for image in images]
    return [image for image, each in zip(images, scores, strict=True) if each == max(scores)]


def _shared_parts(name: str, wanted: PurePosixPath, with_suffix: bool) -> int:
    """How many folders at the end of two paths are equal, and one more for the same file name, case included."""
    own = PurePosixPath(canonical(name))
    same = own.name == wanted.name if with_suffix else own.stem == wanted.stem
    pairs = zip(reversed(own.parts[:-1]), reversed(wanted.parts[:-1]), strict=False)
    return 2 * _equal_pairs(pairs) + same


def _shared_start(name: str, folder: str) -> int:
    """How many folders at the start of two paths are equal; one more where the name lies in the folder itself."""
    own, other = PurePosixPath(canonical(name)).parts[:-1], PurePosixPath(folder).parts
    return 2 * _equal_pairs(zip(own, other, strict=False)) + (own == other)


def _equal_pairs(pairs: Iterable[tuple[str, str]]) -> int:
    """How many pairs are equal before the first that is not."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
