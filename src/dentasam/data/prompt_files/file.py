"""A file of prompts: for every image, the wanted objects with the clicks or the box of each.

YAML or JSON, coordinates in image pixels, x to the right and y down from the top left corner::

    panorama-017.png:
      - category: "36"                              # optional; an FDI number for a tooth
        clicks: [[812, 402, 1], [840, 455, 0]]      # x, y, 1 positive or 0 negative, in order of use
      - box: [120, 200, 190, 330]                   # x0, y0, x1, y1; with or without clicks

A file of boxes is the short form, `image name: [[x0, y0, x1, y1], …]`, or what `detections` reads.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dentasam.data.coco.values import is_result_list, name_text
from dentasam.data.prompt_files import detections
from dentasam.data.prompt_files.prompts import (
    MAX_CLICKS,
    UNNAMED,
    Click,
    ObjectPrompt,
    PromptFile,
    checked_box,
    image_name,
    is_number,
)
from dentasam.data.prompt_files.syntax import read_document
from dentasam.documents.shown import cut, printable, shown
from dentasam.documents.text import half_letter
from dentasam.errors import PromptError


def read_prompts(path: Path, images_file: Path | None = None) -> PromptFile:
    """Reads a file of clicks and boxes; raises PromptError naming the file and the entry that is wrong.

    images_file: the COCO file that names the images of a list of detections.
    """
    return _read(path, images_file, _object)


def read_boxes(path: Path, images_file: Path | None = None) -> PromptFile:
    """Reads a file of boxes: the short form, COCO, or a list of detections; raises as `read_prompts`."""
    return _read(path, images_file, _bare_box)


def _read(path: Path, images_file: Path | None, entry: Callable[[str, Any], ObjectPrompt]) -> PromptFile:
    content = read_document(path)
    if is_result_list(content):
        return detections.from_results(path, content, images_file)
    if images_file is not None:
        raise PromptError(f"{path} names its images itself; leave the images' file {images_file} out")
    if detections.is_coco(content):
        return detections.from_coco(path, content)
    if not isinstance(content, dict) or not content:
        raise PromptError(f"{path} must map image names to lists of objects and name at least one image")
    return PromptFile(path, {name: _entries(path, *given, entry) for name, given in _by_name(path, content).items()})


def _by_name(path: Path, content: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    """Each image's key and entries by its name. Raises PromptError where two keys are the same name."""
    found: dict[str, tuple[str, Any]] = {}
    folded: dict[str, str] = {}
    for key, entries in content.items():
        name = image_name(key)
        other = folded.setdefault(name.casefold(), key)
        if other is not key:
            raise PromptError(
                f"{path} names one image twice, {shown(other)} and {shown(key)}; put all its objects under one name"
            )
        found[name] = key, entries
    return found


def _entries(
    path: Path, name: str, entries: Any, read: Callable[[str, Any], ObjectPrompt]
) -> tuple[ObjectPrompt, ...]:
    if not isinstance(entries, list) or not entries:
        raise PromptError(f"{path}, {cut(printable(name))}: must be a list with at least one object")
    return tuple(
        read(f"{path}, {cut(printable(name))}, object {number}", entry)
        for number, entry in enumerate(entries, start=1)
    )


def _object(where: str, entry: Any) -> ObjectPrompt:
    if isinstance(entry, list):
        return _bare_box(where, entry)
    if not isinstance(entry, dict):
        raise PromptError(f"{where}: must have clicks or a box, as in {{clicks: [[x, y, 1]]}}")
    unknown = sorted(str(key) for key in set(entry) - {"category", "clicks", "box"})
    if unknown:
        raise PromptError(f"{where}: unknown key {shown(unknown[0])}; known are category, clicks and box")
    given = entry.get("clicks") or []
    if not isinstance(given, list):
        raise PromptError(f"{where}: clicks must be a list of [x, y, 1 or 0]")
    if len(given) > MAX_CLICKS:
        raise PromptError(f"{where}: {len(given):,} clicks are more than {MAX_CLICKS}; keep the first of them")
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
    if name is None or half_letter(name) is not None:
        raise PromptError(f"{where}: category must be a name, not {shown(given)}")
    return name


def _bare_box(where: str, entry: Any) -> ObjectPrompt:
    return ObjectPrompt(box=checked_box(where, entry))


def _click(where: str, click: Any) -> Click:
    if not isinstance(click, list) or len(click) != 3 or not all(map(is_number, click[:2])):
        raise PromptError(f"{where}: must be [x, y, 1 or 0] with finite numbers, not {shown(click)}")
    if type(click[2]) not in (int, float) or click[2] not in (0, 1):
        raise PromptError(f"{where}: its third number is 1 (positive) or 0 (negative), not {shown(click[2])}")
    return float(click[0]), float(click[1]), int(click[2])
