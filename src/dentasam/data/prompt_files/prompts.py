"""The prompts of many images, found by the images' names; checks of clicks and boxes."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any

from dentasam.data.images.read import image_size
from dentasam.data.spelling import canonical, portable
from dentasam.documents.shown import shown
from dentasam.documents.values import coordinate, number_in
from dentasam.errors import PromptError

UNNAMED = "object"
# Of one object. They are decoded one after the other, each with all before it, and nobody sets as many by hand.
MAX_CLICKS = 200
Click = tuple[float, float, int]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class ObjectPrompt:
    """What the user gives for one object; clicks (x, y, 1 or 0) and box (x0, y0, x1, y1) in image pixels."""

    category: str = UNNAMED
    clicks: tuple[Click, ...] = ()
    box: Box | None = None


@dataclass(frozen=True)
class PromptFile:
    """The prompts of several images, found by the image's file name or the end of its path.

    images: by the name as `image_name` gives it. sizes: width and height that the prompts were made for, where the
    file says so. stems: whether a name may lack the image's suffix. notes: a line for each kind of entry passed over.
    """

    path: Path
    images: Mapping[str, tuple[ObjectPrompt, ...]]
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    stems: bool = False
    notes: tuple[str, ...] = ()

    @cached_property
    def _by_last_part(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in self.images:
            found.setdefault(PurePath(name).name, []).append(name)
        return found

    def of(self, image: Path) -> tuple[ObjectPrompt, ...]:
        """The objects wanted in `image`; raises PromptError where the file lacks it or is for another size.

        An entry with folders (`left/017.png`) is for an image whose path ends like that, and goes before the
        bare name, so that equal names in two folders stay distinct.
        """
        name = self.entry_of(image)
        if name is None:
            raise PromptError(f"{self.path} has no entry for {image.name}; name the image as a key of the file")
        meant = self.sizes.get(name)
        if meant is not None:
            height, width = image_size(image)
            if meant != (width, height):
                raise PromptError(
                    f"{self.path}: its prompts for {name} are for an image of {meant[0]}x{meant[1]} pixels, {image} "
                    f"has {width}x{height}; make them at the image's size"
                )
        return self.images[name]

    def entry_of(self, image: Path) -> str | None:
        """The name under which the file has `image`, or None."""
        return max(self._fitting(image), key=lambda name: len(PurePath(name).parts), default=None)

    def _fitting(self, image: Path) -> list[str]:
        whole = PurePath(canonical(os.path.abspath(image)))
        ways = [whole, whole.with_suffix("")] if self.stems else [whole]
        return [name for way in ways for name in self._by_last_part.get(way.name, ()) if _ends_with(way, name)]

    def unused(self, images: Iterable[Path]) -> list[str]:
        """The names that none of the images has: misspelt, or meant for another run.

        Raises PromptError where an image has a whole path as its entry and another one, whose prompts would be lost.
        """
        taken = {self.entry_of(image): image for image in images}
        unused = [name for name in self.images if name not in taken]
        for name, image in taken.items():
            other = next((each for each in self._fitting(image) if each in unused), None)
            if name is not None and other is not None and os.path.isabs(name):
                raise PromptError(
                    f"{self.path} names {image} twice, {other!r} and {name!r}; put all its objects under one name"
                )
        return unused


def parse_box(text: str) -> Box:
    """`x0,y0,x1,y1` from a command line; raises PromptError."""
    try:
        numbers: list[Any] = [number_in(part) for part in text.split(",")]
    except ValueError:
        raise PromptError(f"box {shown(text)} is neither a file that exists nor x0,y0,x1,y1 in pixels") from None
    return checked_box(f"box {shown(text)}", numbers)


def image_name(name: str) -> str:
    """The normal form of an image's name: `/` between folders, no `./`, accents composed."""
    return canonical(os.path.normpath(portable(name)).replace(os.sep, "/"))


def checked_box(where: str, box: Any) -> Box:
    """x0, y0, x1, y1 of a box with an area. Raises PromptError, which begins with `where`."""
    if not isinstance(box, list) or len(box) != 4 or not all(map(is_number, box)):
        raise PromptError(f"{where}: a box is [x0, y0, x1, y1] with finite numbers, not {shown(box)}")
    x0, y0, x1, y1 = map(float, box)
    if x1 <= x0 or y1 <= y0:
        raise PromptError(f"{where}: box {shown(box)} is empty; it is [x0, y0, x1, y1] with x1 > x0 and y1 > y0")
    return x0, y0, x1, y1


def is_number(value: Any) -> bool:
    """Whether this can be a coordinate in pixels."""
    return coordinate(value) is not None


def _ends_with(image: PurePath, name: str) -> bool:
    parts = PurePath(name).parts
    return image.parts[-len(parts) :] == parts
