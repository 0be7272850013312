"""Boxes as detectors write them: a COCO file, or COCO's list of results, which names images by a number alone.

A results list, `[{"image_id": 1, "category_id": 36, "bbox": [x, y, width, height], "score": 0.9}, …]`, needs the COCO
file with its images beside it. Without one it can be read where `image_id` is the image's name or stem.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

from dentasam.data.coco.values import is_box, name_text
from dentasam.data.prompt_files.prompts import UNNAMED, ObjectPrompt, PromptFile, checked_box, image_name
from dentasam.data.prompt_files.syntax import read_document
from dentasam.documents.shown import cut, printable, shown
from dentasam.documents.text import half_letter
from dentasam.documents.values import is_digits, whole
from dentasam.errors import PromptError


def is_coco(content: Any) -> bool:
    """Whether this is a COCO file with images and annotations."""
    return isinstance(content, dict) and isinstance(content.get("images"), list) and "annotations" in content


def from_coco(path: Path, content: dict[str, Any]) -> PromptFile:
    """The boxes of a COCO file, their categories by name. Raises PromptError."""
    return _boxes(path, content["annotations"], path, content, "annotation")


def from_results(path: Path, results: list[Any], images_file: Path | None) -> PromptFile:
    """The boxes of a results list. `images_file`, a COCO file, names images and categories. Raises PromptError."""
    if images_file is not None:
        images = read_document(images_file)
        if not isinstance(images, dict) or not isinstance(images.get("images"), list):
            raise PromptError(f"{images_file} has no list 'images'; give the COCO file that {path} was made for")
        return _boxes(path, results, images_file, images, "result")
    found: defaultdict[str, list[ObjectPrompt]] = defaultdict(list)
    for number, item in enumerate(results, start=1):
        where = f"{path}, result {number}"
        name = item.get("image_id") if isinstance(item, dict) else None
        if not isinstance(name, str) or not name:
            raise PromptError(
                f"{where}: a results list names no image files, only image_id {shown(name)}; give the COCO file that "
                "lists its images as --images-file, or write file names as image_id"
            )
        found[image_name(name)].append(ObjectPrompt(UNNAMED, box=_corners(where, item.get("bbox"))))
    return PromptFile(path, {name: tuple(boxes) for name, boxes in found.items()}, stems=True)


def _boxes(path: Path, items: Any, images_file: Path, content: dict[str, Any], kind: str) -> PromptFile:
    names, sizes = _images(images_file, content["images"])
    categories = {
        whole(item.get("id")): name_text(item.get("name"))
        for item in _listed(content.get("categories"))
        if isinstance(item, dict)
    }
    half = half_letter(list(categories.values()))
    if half is not None:
        raise PromptError(f"{images_file}: the category {shown(half)} has half of a character; name it anew")
    if not isinstance(items, list):
        raise PromptError(f"{path}: not a COCO file of boxes ('annotations' is not a list)")
    found: defaultdict[str, list[ObjectPrompt]] = defaultdict(list)
    crowds = 0
    for number, item in enumerate(items, start=1):
        if not isinstance(item, dict):
            raise PromptError(f"{path}: not a COCO file of boxes ({kind} {number} is not an object)")
        where = f"{path}, {kind} {shown(item.get('id', number))}"
        image_id = item.get("image_id")
        image = names.get(image_id) if isinstance(image_id, int | float | str) else None
        if image is None:
            raise PromptError(f"{where}: not a COCO file of boxes (no image in {images_file} has its image_id)")
        if item.get("iscrowd") in (1, "1"):
            crowds += 1
            continue
        category = categories.get(whole(item.get("category_id"))) or UNNAMED
        found[image].append(ObjectPrompt(category, box=_corners(where, item.get("bbox"))))
    notes = (f"{crowds} box{'es' * (crowds != 1)} of crowds (iscrowd 1) passed over",) if crowds else ()
    return PromptFile(path, {name: tuple(boxes) for name, boxes in found.items()}, sizes, notes=notes)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _images(path: Path, items: list[Any]) -> tuple[dict[Any, str], dict[str, tuple[int, int]]]:
    """The images' names by their ids, and their sizes by their names."""
    names: dict[Any, str] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for position, item in enumerate(items):
        id, given = (item.get("id"), item.get("file_name")) if isinstance(item, dict) else (None, None)
        if not isinstance(id, int | float | str) or not isinstance(given, str) or not given or id in names:
            raise PromptError(
                f"{path}: not a COCO file of boxes (images[{position}] has no id of its own or no name)"
            )
        name = names[id] = image_name(given)
        width, height = (_length(path, position, item, side) for side in ("width", "height"))
        if width is None or height is None:
            continue
        if sizes.setdefault(name, (width, height)) != (width, height):
            shown_name = cut(printable(name))
            raise PromptError(f"{path} names the image {shown_name} twice with two sizes; take one of them out")
    return names, sizes


def _length(path: Path, position: int, image: dict[str, Any], side: str) -> int | None:
    """A side in pixels, also as text; None where the file does not give it."""
    given = image.get(side)
    length = int(given) if isinstance(given, str) and is_digits(given) and len(given) < 10 else whole(given)
    if length is None and given is not None:
        raise PromptError(f"{path}: images[{position}] has a {side} that is not a whole number, {shown(given)}")
    return length


def _corners(where: str, box: Any) -> tuple[float, float, float, float]:
    if not is_box(box):
        raise PromptError(f"{where}: bbox must be four finite numbers x, y, width, height, not {shown(box)}")
    x, y, width, height = map(float, box)
    return checked_box(where, [x, y, x + width, y + height])
