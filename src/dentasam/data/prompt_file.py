"""Prompts written down in a file: for every image, the objects wanted and the clicks or the box for each.

YAML or JSON, coordinates in image pixels, x to the right and y down from the top left corner::

    panorama-017.png:
      - category: "36"                              # optional; an FDI number for a tooth
        clicks: [[812, 402, 1], [840, 455, 0]]      # x, y, 1 positive or 0 negative, in order of use
      - box: [120, 200, 190, 330]                   # x0, y0, x1, y1; with or without clicks

A file of boxes is either the short form, `image name: [[x0, y0, x1, y1], …]`, or a COCO JSON as detectors
write it.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import yaml

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
    """The prompts of several images, found by the image's file name or by the end of its path."""

    path: Path
    images: Mapping[str, tuple[ObjectPrompt, ...]]

    def of(self, image: Path) -> tuple[ObjectPrompt, ...]:
        """The objects wanted in `image`; raises PromptError where the file does not name it.

        An entry with folders (`left/017.png`) is for an image whose path ends like that, and goes before the
        bare name, so that equal names in two folders can be told apart.
        """
        fitting = [name for name in self.images if _ends_with(image, name)]
        if not fitting:
            raise PromptError(f"{self.path} has no entry for {image.name}; name the image as a key of the file")
        return self.images[max(fitting, key=lambda name: len(PurePath(name).parts))]


def read_prompts(path: Path) -> PromptFile:
    """Reads a file of clicks and boxes; raises PromptError naming the file and the entry that is wrong."""
    content = _parse(path)
    return PromptFile(path, {name: _entries(path, name, entries, _object) for name, entries in content.items()})


def read_boxes(path: Path) -> PromptFile:
    """Reads a file of boxes, short form or COCO JSON; raises PromptError naming the file and the entry."""
    content = _parse(path)
    if "annotations" in content and "images" in content:
        return PromptFile(path, _coco_boxes(path, content))
    return PromptFile(path, {name: _entries(path, name, entries, _bare_box) for name, entries in content.items()})


def parse_box(text: str) -> Box:
    """`x0,y0,x1,y1` from a command line; raises PromptError."""
    try:
        numbers: list[Any] = [float(part) for part in text.split(",")]
    except ValueError:
        raise PromptError(f"box {text!r} is neither a file that exists nor x0,y0,x1,y1 in pixels") from None
    return _box(f"box {text!r}", numbers)


def _parse(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PromptError(f"{path} does not exist; give a JSON or YAML file of prompts") from None
    except (OSError, UnicodeDecodeError) as fault:
        raise PromptError(f"{path} cannot be read as text ({fault}); give a JSON or YAML file") from None
    try:
        content = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except json.JSONDecodeError as fault:
        raise PromptError(f"{path}, line {fault.lineno}: not JSON ({fault.msg})") from None
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise PromptError(f"{path}{where}: not YAML ({getattr(fault, 'problem', fault)})") from None
    if not isinstance(content, dict) or not content:
        raise PromptError(f"{path} must map image names to lists of objects and name at least one image")
    return {str(name): entries for name, entries in content.items()}


def _entries(path: Path, name: str, entries: Any, read: Any) -> tuple[ObjectPrompt, ...]:
    if not isinstance(entries, list) or not entries:
        raise PromptError(f"{path}, {name}: must be a list with at least one object")
    return tuple(read(f"{path}, {name}, object {number}", entry) for number, entry in enumerate(entries, start=1))


def _object(where: str, entry: Any) -> ObjectPrompt:
    if not isinstance(entry, dict):
        raise PromptError(f"{where}: must have clicks or a box, as in {{clicks: [[x, y, 1]]}}")
    unknown = sorted(str(key) for key in set(entry) - {"category", "clicks", "box"})
    if unknown:
        raise PromptError(f"{where}: unknown key {unknown[0]!r}; known are category, clicks and box")
    given = entry.get("clicks") or []
    if not isinstance(given, list):
        raise PromptError(f"{where}: clicks must be a list of [x, y, 1 or 0]")
    clicks = tuple(_click(f"{where}, click {number}", click) for number, click in enumerate(given, start=1))
    box = None if entry.get("box") is None else _box(where, entry["box"])
    if not clicks and box is None:
        raise PromptError(f"{where}: needs clicks or a box")
    if box is None and not any(label for _, _, label in clicks):
        raise PromptError(f"{where}: negative clicks alone do not say what is wanted; add a positive one or a box")
    return ObjectPrompt(str(entry.get("category", UNNAMED)), clicks, box)


def _bare_box(where: str, entry: Any) -> ObjectPrompt:
    return ObjectPrompt(box=_box(where, entry))


def _click(where: str, click: Any) -> Click:
    if not isinstance(click, list) or len(click) != 3 or not all(map(_is_number, click[:2])):
        raise PromptError(f"{where}: must be [x, y, 1 or 0] with finite numbers, not {click!r}")
    if click[2] not in (0, 1):
        raise PromptError(f"{where}: its third number is 1 (positive) or 0 (negative), not {click[2]!r}")
    return float(click[0]), float(click[1]), int(click[2])


def _box(where: str, box: Any) -> Box:
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        raise PromptError(f"{where}: a box is [x0, y0, x1, y1] with finite numbers, not {box!r}")
    x0, y0, x1, y1 = map(float, box)
    if x1 <= x0 or y1 <= y0:
        raise PromptError(f"{where}: box {box!r} is empty; it is [x0, y0, x1, y1] with x1 > x0 and y1 > y0")
    return x0, y0, x1, y1


def _coco_boxes(path: Path, content: dict[str, Any]) -> dict[str, tuple[ObjectPrompt, ...]]:
    """COCO boxes are x, y, width, height; the category is taken by its name."""
    try:
        file_names = {image["id"]: str(image["file_name"]) for image in content["images"]}
        categories = {category["id"]: str(category["name"]) for category in content.get("categories", [])}
        found: dict[str, list[ObjectPrompt]] = {name: [] for name in file_names.values()}
        for number, annotation in enumerate(content["annotations"], start=1):
            where = f"{path}, annotation {annotation.get('id', number)}"
            x, y, width, height = _numbers(where, annotation["bbox"])
            category = categories.get(annotation.get("category_id"), UNNAMED)
            box = _box(where, [x, y, x + width, y + height])
            found[file_names[annotation["image_id"]]].append(ObjectPrompt(category, box=box))
    except (KeyError, TypeError, AttributeError) as fault:
        raise PromptError(f"{path}: not a COCO file of boxes ({type(fault).__name__}: {fault})") from None
    return {name: tuple(prompts) for name, prompts in found.items() if prompts}


def _numbers(where: str, box: Any) -> list[float]:
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        raise PromptError(f"{where}: bbox must be four finite numbers, not {box!r}")
    return [float(number) for number in box]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _ends_with(image: Path, name: str) -> bool:
    parts = PurePath(name).parts
    return image.parts[-len(parts) :] == parts
