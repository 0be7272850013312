"""Prompts written down in a file: for every image, the objects wanted and the clicks or the box for each.

YAML or JSON, coordinates in image pixels, x to the right and y down from the top left corner::

    panorama-017.png:
      - category: "36"                              # optional; an FDI number for a tooth
        clicks: [[812, 402, 1], [840, 455, 0]]      # x, y, 1 positive or 0 negative, in order of use
      - box: [120, 200, 190, 330]                   # x0, y0, x1, y1; with or without clicks

A file of boxes is the short form, `image name: [[x0, y0, x1, y1], …]`, or what `detections` reads.
"""

import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any

from dentasam.data.coco.values import name_text
from dentasam.data.images.read import image_size
from dentasam.data.prompt_files.syntax import read_document
from dentasam.data.spelling import canonical, portable
from dentasam.errors import PromptError

UNNAMED = "object"
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
    """The prompts of several images, found by the image's file name or by the end of its path.

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
        """The objects wanted in `image`; raises PromptError where the file does not name it or means another size.

        An entry with folders (`left/017.png`) is for an image whose path ends like that, and goes before the
        bare name, so that equal names in two folders can be told apart.
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
        """The names whose prompts none of the images took: misspelt perhaps, or meant for another run.

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


def read_prompts(path: Path, images_file: Path | None = None) -> PromptFile:
    """Reads a file of clicks and boxes; raises PromptError naming the file and the entry that is wrong.

    images_file: the COCO file that names the images of a list of detections.
    """
    return _read(path, images_file, _object)


def read_boxes(path: Path, images_file: Path | None = None) -> PromptFile:
    """Reads a file of boxes: the short form, COCO, or a list of detections; raises as `read_prompts`."""
    return _read(path, images_file, _bare_box)


def parse_box(text: str) -> Box:
    """`x0,y0,x1,y1` from a command line; raises PromptError."""
    try:
        numbers: list[Any] = [float(part) for part in text.split(",")]
    except ValueError:
        raise PromptError(f"box {text!r} is neither a file that exists nor x0,y0,x1,y1 in pixels") from None
    return checked_box(f"box {text!r}", numbers)


def image_name(name: str) -> str:
    """One spelling of an image's name: `/` between folders, no `./`, accents composed."""
    return canonical(os.path.normpath(portable(name)).replace(os.sep, "/"))


def _read(path: Path, images_file: Path | None, entry: Callable[[str, Any], ObjectPrompt]) -> PromptFile:
    from dentasam.data.prompt_files import detections

    content = read_document(path)
    if detections.is_result_list(content):
        return detections.from_results(path, content, images_file)
    if images_file is not None:
        raise PromptError(f"{path} names its images itself; leave the images' file {images_file} out")
    if detections.is_coco(content):
        return detections.from_coco(path, content)
    if not isinstance(content, dict) or not content:
        raise PromptError(f"{path} must map image names to lists of objects and name at least one image")
    return PromptFile(path, {name: _entries(path, *given, entry) for name, given in _by_name(path, content).items()})


def _by_name(path: Path, content: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    """Each image's key and entries by its name, none there twice, whichever way it is spelt."""
    found: dict[str, tuple[str, Any]] = {}
    folded: dict[str, str] = {}
    for key, entries in content.items():
        name = image_name(key)
        other = folded.setdefault(name.casefold(), key)
        if other is not key:
            raise PromptError(
                f"{path} names one image twice, {other!r} and {key!r}; put all its objects under one name"
            )
        found[name] = key, entries
    return found


def _entries(
    path: Path, name: str, entries: Any, read: Callable[[str, Any], ObjectPrompt]
) -> tuple[ObjectPrompt, ...]:
    if not isinstance(entries, list) or not entries:
        raise PromptError(f"{path}, {name}: must be a list with at least one object")
    return tuple(read(f"{path}, {name}, object {number}", entry) for number, entry in enumerate(entries, start=1))


def _object(where: str, entry: Any) -> ObjectPrompt:
    if isinstance(entry, list):
        return _bare_box(where, entry)
    if not isinstance(entry, dict):
        raise PromptError(f"{where}: must have clicks or a box, as in {{clicks: [[x, y, 1]]}}")
    unknown = sorted(str(key) for key in set(entry) - {"category", "clicks", "box"})
    if unknown:
        raise PromptError(f"{where}: unknown key {unknown[0]!r}; known are category, clicks and box")
    given = entry.get("clicks") or []
    if not isinstance(given, list):
        raise PromptError(f"{where}: clicks must be a list of [x, y, 1 or 0]")
    clicks = tuple(_click(f"{where}, click {number}", click) for number, click in enumerate(given, start=1))
    box = None if entry.get("box") is None else checked_box(where, entry["box"])
    if not clicks and box is None:
        raise PromptError(f"{where}: needs clicks or a box")
    if box is None and not any(label for _, _, label in clicks):
        raise PromptError(f"{where}: negative clicks alone do not say what is wanted; add a positive one or a box")
    return ObjectPrompt(_category(where, entry.get("category")), clicks, box)


def _category(where: str, given: Any) -> str:
    if given is None:
        return UNNAMED
    name = name_text(given)
    if name is None:
        raise PromptError(f"{where}: category must be a name, not {given!r:.40}")
    return name


def _bare_box(where: str, entry: Any) -> ObjectPrompt:
    return ObjectPrompt(box=checked_box(where, entry))


def _click(where: str, click: Any) -> Click:
    if not isinstance(click, list) or len(click) != 3 or not all(map(_is_number, click[:2])):
        raise PromptError(f"{where}: must be [x, y, 1 or 0] with finite numbers, not {click!r}")
    if click[2] not in (0, 1):
        raise PromptError(f"{where}: its third number is 1 (positive) or 0 (negative), not {click[2]!r}")
    return float(click[0]), float(click[1]), int(click[2])


def checked_box(where: str, box: Any) -> Box:
    """x0, y0, x1, y1 of a box with an area. Raises PromptError, which begins with `where`."""
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        raise PromptError(f"{where}: a box is [x0, y0, x1, y1] with finite numbers, not {box!r}")
    x0, y0, x1, y1 = map(float, box)
    if x1 <= x0 or y1 <= y0:
        raise PromptError(f"{where}: box {box!r} is empty; it is [x0, y0, x1, y1] with x1 > x0 and y1 > y0")
    return x0, y0, x1, y1


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _ends_with(image: PurePath, name: str) -> bool:
    parts = PurePath(name).parts
    return image.parts[-len(parts) :] == parts
