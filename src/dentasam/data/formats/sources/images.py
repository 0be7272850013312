"""The image files of a source, found by the names that annotations give them.

Annotations name images by a path on another machine, by an address, relative to themselves or by the file's name
alone. Only files that were listed in the source are ever found, so that no name leads out of it, and no link does.

A name is looked up as it is written first, beside the annotation and from where the source begins. Where that fails,
the image that shares most of the end of the path serves, but only for one name: if several names lead to it, it
belongs to the one that is its path, else to the one that shares most with it, else to the first. Readers that know
all names before they load an image announce them (`expect`), so that the order of loading changes nothing.
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


class ImageTaken(ImageNotFound):
    """An annotation names an image that is not there; the only one like it belongs to another name."""


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


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What an annotation looks for.

    name: as it is written. path: its canonical form, without suffix where that does not count. beside: the
    annotation's folder in the source. called: the name that the annotation itself gives, where `name` was made of it.
    """

    name: str
    path: PurePosixPath
    beside: str
    with_suffix: bool
    called: str

    @property
    def key(self) -> str:
        """What equal names have in common; the same image may be named by several annotations."""
        return self.called or str(self.path)

    @property
    def exact(self) -> bool:
        """Whether the annotation itself gives the name."""
        return self.called in ("", canonical(portable(self.name)))


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
        # Endings of files that the reader of the format takes itself, which are not reported as left out.
        self.read_elsewhere: list[str] = []
        self._given = images
        self._inner: dict[str, SourceImages] = {}
        # The names to which images belong: to those that are their paths, and to others with how much they share.
        self._exact: dict[Path, str] = {}
        self._taken: dict[Path, tuple[int, str]] = {}
        self._expected: list[list[_Wanted]] = []

    @staticmethod
    def in_folder(
        folder: Path, report: Callable[[str], None], fixed: bool = False, follow_links: bool = False
    ) -> SourceImages:
        """The image files in a folder and its subfolders; links to files outside of it are left out
        unless they are to be followed.

        report: takes a line for what looks like an image and is left out. fixed: the user named this folder as that
        of the images, so that a format's own folders do not count.
        """
        root = Path(os.path.abspath(folder))
        images = SourceImages((), str(folder), None if fixed else root)
        images._given = _listed(root, report, images.read_elsewhere, follow_links)
        return images

    def __len__(self) -> int:
        return len(self._images)

    @cached_property
    def _images(self) -> list[SourceImage]:
        return list(self._given)

    @cached_property
    def _by_path(self) -> dict[str, list[SourceImage]]:
        return self._index(lambda name: [str(name)])

    @cached_property
    def _by_path_without_suffix(self) -> dict[str, list[SourceImage]]:
        return self._index(lambda name: [str(name.with_suffix(""))])

    @cached_property
    def _by_end(self) -> dict[str, list[SourceImage]]:
        return self._index(lambda name: _ends(name.parent, name.name))

    @cached_property
    def _by_end_without_suffix(self) -> dict[str, list[SourceImage]]:
        return self._index(lambda name: _ends(name.parent, name.stem))

    def _index(self, keys: Callable[[PurePosixPath], Iterable[str]]) -> dict[str, list[SourceImage]]:
        index: dict[str, list[SourceImage]] = defaultdict(list)
        for image in self._images:
            for key in keys(PurePosixPath(canonical(image.name))):
                index[key].append(image)
        return index

    @cached_property
    def _folders(self) -> set[str]:
        """The folders that hold images."""
        return {str(PurePosixPath(canonical(image.name)).parent) for image in self._images}

    def all(self) -> list[SourceImage]:
        """All images, by name."""
        return list(self._images)

    def within(self, folder: str) -> SourceImages:
        """The images under a folder of the source, named relative to it; all, where the images lie in one place."""
        if self.root is None:
            return self
        inner = f"{folder.strip('/')}/"
        if inner not in self._inner:
            found = (
                SourceImage(image.name.removeprefix(inner), image.path, image.known_size)
                for image in self._images
                if image.name.startswith(inner)
            )
            self._inner[inner] = SourceImages(found, f"{self.place}/{folder}", self.root / folder)
        return self._inner[inner]

    def expect(
        self, *names: str, annotation: Path | None = None, stem: bool = False, called: str = "", guess: bool = False
    ) -> None:
        """Announces that an annotation will look for one of the names, the likeliest first.

        stem: as in `find_stem`. called: as in `find`. guess: the name is only likely, and counts where it is a path.
        """
        wanted = [self._wanted(name, annotation, not stem, called) for name in names]
        for each in wanted:
            if each.exact and (image := self._at(each)) is not None:
                self._exact.setdefault(image.path, image.name)
                return
        if not guess:
            self._expected.append(wanted)

    def find(self, name: str, annotation: Path | None = None, called: str = "") -> SourceImage:
        """The image that an annotation names; annotation: its file, beside which the image may lie.

        called: the name in the annotation, where `name` is only made of it. Raises ImageNotFound where there is none,
        where several fit equally well, and where the only one that fits belongs to another name.
        """
        return self._find(self._wanted(name, annotation, True, called), annotation)

    def find_stem(self, name: str, annotation: Path | None = None) -> SourceImage:
        """As `find`, for a name whose suffix is missing or is that of another file, as in `labels/1.txt`."""
        return self._find(self._wanted(name, annotation, False, ""), annotation)

    def beside(self, name: str, annotation: Path) -> SourceImage | None:
        """The image that is where the annotation says as seen from its own folder, or has that file name there."""
        wanted = self._wanted(name, annotation, True, "")
        for path in (wanted.path, PurePosixPath(wanted.path.name)):
            if len(same := self._by_path.get(_joined(wanted.beside, path), [])) == 1:
                return same[0]
        return None

    def _wanted(self, name: str, annotation: Path | None, with_suffix: bool, called: str) -> _Wanted:
        path = PurePosixPath(canonical(portable(name)).removeprefix("file://"))
        if not with_suffix and path.name:
            path = path.with_suffix("")
        return _Wanted(name, path, self._folder_of(annotation), with_suffix, canonical(portable(called)))

    def _find(self, wanted: _Wanted, annotation: Path | None) -> SourceImage:
        self._settle()
        shown, where = _shown(wanted.name), f"{annotation}: " if annotation else ""
        image = self._at(wanted) if wanted.exact else None
        if image is not None:
            owner = self._taken.get(image.path, (0, wanted.key))[1]
            if owner != wanted.key:
                raise ImageTaken(
                    f"{where}its image {shown} was taken for {_shown(owner)} before; put the image of that name there"
                )
            self._exact.setdefault(image.path, image.name)
            return image
        found, score = self._alike(wanted)
        if len(found) > 1:
            several = " and ".join(image.name for image in found[:2])
            raise ImageNotFound(f"{where}its image {shown} may be {several}; name the folder with --images")
        if not found:
            raise ImageNotFound(
                f"{where}its image {shown} is not in {self.place}; put it there, or name its folder with --images"
            )
        owner = self._exact.get(found[0].path) or self._taken.setdefault(found[0].path, (score, wanted.key))[1]
        if owner == wanted.key:
            return found[0]
        raise ImageTaken(
            f"{where}its image {_shown(wanted.called or wanted.name)} is not in {self.place}, where {found[0].name} "
            f"is that of {_shown(owner)}; put it there, or name its folder with --images"
        )

    def _settle(self) -> None:
        """Gives each image to which announced names lead, but none that is its path, to the one that fits best."""
        expected, self._expected = self._expected, []
        for names in expected:
            for wanted in names:
                found, score = self._alike(wanted)
                if len(found) != 1:
                    continue
                path = found[0].path
                if path not in self._exact and score > self._taken.get(path, (-1, ""))[0]:
                    self._taken[path] = (score, wanted.key)
                break

    def _at(self, wanted: _Wanted) -> SourceImage | None:
        """The image whose path is the name."""
        index = self._by_path if wanted.with_suffix else self._by_path_without_suffix
        for exact in (_joined(wanted.beside, wanted.path), str(wanted.path)):
            if len(same := index.get(exact, [])) == 1:
                return same[0]
        return None

    def _alike(self, wanted: _Wanted) -> tuple[list[SourceImage], int]:
        """The images that share most with a name, and how much: their folders from the end, the case of the name."""
        index = self._by_end if wanted.with_suffix else self._by_end_without_suffix
        ends = list(_ends(wanted.path.parent, wanted.path.name))
        shared = next((count for count in range(len(ends) - 1, -1, -1) if ends[count] in index), None)
        if shared is None or not wanted.path.name:
            return [], 0
        found = index[ends[shared]]
        named = self._named_folders(wanted)
        if named:
            found = [
                image for image in found if canonical(image.name).startswith(tuple(f"{each}/" for each in named))
            ]
        same = [image for image in found if _last(image, wanted.with_suffix) == wanted.path.name]
        found = same or found
        if len(found) > 1:
            found = _best(found, lambda image: _shared_start(image.name, wanted.beside))
        return found, 2 * shared + bool(same)

    def _named_folders(self, wanted: _Wanted) -> list[str]:
        """The folders of the source that a name may mean; where there is one, the image lies nowhere else."""
        folder = wanted.path.parent
        if self.root is None or str(folder) == ".":
            return []
        named = dict.fromkeys((_joined(wanted.beside, folder), os.path.normpath(folder)))
        # A folder with annotations alone is where an annotation lies, not what it means.
        return [name for name in named if name in self._folders or (name != wanted.beside and self._is_folder(name))]

    def _is_folder(self, name: str) -> bool:
        if self.root is None or name == "." or name.startswith(("..", "/")):
            return False
        try:
            return os.path.isdir(self.root / name)
        except ValueError:  # a null character
            return False

    def _folder_of(self, annotation: Path | None) -> str:
        """The annotation's folder relative to the source; empty where it lies elsewhere."""
        if annotation is None or self.root is None:
            return ""
        folder = Path(os.path.abspath(annotation)).parent
        return canonical(folder.relative_to(self.root).as_posix()) if folder.is_relative_to(self.root) else ""


@dataclass
class _LeftOutHere(LeftOut):
    """All that is left out, but for files with these endings."""

    endings: tuple[str, ...] = ()

    def add(self, name: str, reason: str) -> None:
        if not name.lower().endswith(self.endings):
            super().add(name, reason)


def _listed(
    root: Path, report: Callable[[str], None], read_elsewhere: list[str], follow_links: bool
) -> Iterator[SourceImage]:
    left_out = _LeftOutHere(endings=tuple(read_elsewhere))
    for name, path in sorted(images_in(root, left_out, follow_links=follow_links)):
        yield SourceImage(name, path)
    for line in left_out.lines():
        report(line)


def _ends(folder: PurePosixPath, last: str) -> Iterator[str]:
    """The ends of a path, from its last part alone, whose case does not count, to the whole."""
    end = last.lower()
    yield end
    for part in reversed(folder.parts):
        end = f"{part}/{end}"
        yield end


def _last(image: SourceImage, with_suffix: bool) -> str:
    path = PurePosixPath(canonical(image.name))
    return path.name if with_suffix else path.stem


def _joined(folder: str, path: PurePosixPath) -> str:
    return os.path.normpath(PurePosixPath(folder) / path)


def _shown(name: str) -> str:
    return repr(name if len(name) <= MAX_SHOWN_CHARACTERS else f"{name[:MAX_SHOWN_CHARACTERS]}…")


def _best(images: list[SourceImage], score: Callable[[SourceImage], int]) -> list[SourceImage]:
    scores = [score(image) for image in images]
    highest = max(scores)
    return [image for image, each in zip(images, scores, strict=True) if each == highest]


def _shared_start(name: str, folder: str) -> int:
    """How many folders at the start of two paths are equal; one more where the name lies in the folder itself."""
    own, other = PurePosixPath(canonical(name)).parts[:-1], PurePosixPath(folder).parts
    return 2 * sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(own, other, strict=False))) + (
        own == other
    )
