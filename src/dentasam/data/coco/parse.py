"""Reading a COCO instances file and checking every value: each error is reported with its record.

The same reader has two uses. `Dataset.load` passes a `report` that raises, so it stops at the first error;
`find_problems` passes one that collects, so a wrong record is left out and reading continues.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dentasam.data.coco.annotations import read_annotations
from dentasam.data.coco.categories import read_categories
from dentasam.data.coco.image_files import ImageFile, ImageFiles
from dentasam.data.coco.passed_over import PassedOverAnnotation
from dentasam.data.coco.problem import Problem, Report, WhatAndFix
from dentasam.data.coco.values import half_letter_in, is_result_list
from dentasam.data.images.size_limit import PIXEL_LIMIT
from dentasam.data.links import check_no_link_out
from dentasam.data.record import Category, ImageRecord
from dentasam.data.teeth.numbering import MARK, Numbering, to_fdi
from dentasam.documents.error import DocumentError
from dentasam.documents.json_document import read_dataset_json
from dentasam.documents.values import whole


@dataclass(frozen=True)
class Parsed:
    """The valid part of a COCO file. folder: what image names are relative to. passed_over: what is not an object."""

    images: tuple[ImageRecord, ...] = ()
    categories: tuple[Category, ...] = ()
    info: dict[str, Any] | None = None
    folder: Path | None = None
    passed_over: tuple[PassedOverAnnotation, ...] = ()


def parse(
    path: Path,
    report: Report,
    images: Path | None = None,
    crowd_as_objects: bool = False,
    as_stated: bool = False,
    follow_links: bool = False,
    inside: Path | None = None,
) -> Parsed:
    """Reads the COCO file at `path` (absolute), reporting every error but those inside the image files.

    images: the folder of the image files, where it is not one of those in `image_files`. as_stated: leave the names
    of a file that states another numbering (`info.numbering`) as they are; else its teeth get their FDI numbers.
    follow_links, inside: as in `image_files.ImageFiles`.
    Raises DatasetError where `images` is not a folder.
    """
    with _collection_paused():
        content = _json(path, report)
        if content is None:
            return Parsed()
        names = [item.get("file_name") for item in content["images"] if isinstance(item, dict)]
        given = [name for name in names if isinstance(name, str) and name]
        files = ImageFiles(path, given, images, follow_links, inside)
        parsed = _parse(content, report, files, crowd_as_objects)
    return parsed if as_stated else _in_fdi(parsed)


def _in_fdi(parsed: Parsed) -> Parsed:
    """The same with FDI numbers, where the file states that it has others."""
    stated = (parsed.info or {}).get(MARK)
    if stated not in (Numbering.universal.value, Numbering.palmer.value):
        return parsed
    new = {each.name: to_fdi(each.name, Numbering(stated)) or each.name for each in parsed.categories}
    images = (image.renamed(new) for image in parsed.images)
    # Several supernumerary teeth of the Universal system have one name in FDI.
    categories = {new[each.name]: replace(each, name=new[each.name]) for each in reversed(parsed.categories)}
    info = {key: value for key, value in (parsed.info or {}).items() if key != MARK}
    return replace(parsed, images=tuple(images), categories=tuple(reversed(categories.values())), info=info)


def _parse(content: dict[str, Any], report: Report, files: ImageFiles, crowd_as_objects: bool) -> Parsed:
    given = content["annotations"]
    used = {whole(item.get("category_id")) for item in given if isinstance(item, dict)}
    categories = read_categories(content["categories"], used, report)
    found, doubtful = _images(content["images"], files, report)
    known = {category.id: category.name for category in categories}
    read = read_annotations(given, found, doubtful, known, report, crowd_as_objects)
    if read.passed_over and not read.objects and not read.crowds:
        what = f"none of its {len(given)} annotations has a mask"
        report(Problem(None, None, what, "export masks (polygons or RLE), not boxes alone"))
    filled = (
        replace(image, objects=tuple(read.objects.get(id, ())), crowds=tuple(read.crowds.get(id, ())))
        for id, image in found.items()
    )
    info = content.get("info")
    wrong = half_letter_in("in its info", info)
    if wrong is not None:
        report(Problem(None, None, *wrong))
    return Parsed(
        tuple(filled),
        tuple(categories),
        info if isinstance(info, dict) else None,
        files.folder,
        tuple(read.passed_over),
    )


@contextmanager
def _collection_paused() -> Iterator[None]:
    """Nothing that is made here is cyclic, but collections in between would walk it over and over."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _json(path: Path, report: Report) -> dict[str, Any] | None:
    content, error = _read(path)
    if error is None and is_result_list(content):
        what = "is a list of results, as detectors write it: it names no image files, sizes or categories"
        error = what, "put it as 'annotations' into a copy of the COCO JSON that lists the images"
    if error is None and not isinstance(content, dict):
        error = "is not a COCO dataset (the top level is not an object)", "export it as COCO instances"
    if error is None:
        missing = [k for k in ("images", "annotations", "categories") if not isinstance(content.get(k), list)]
        if missing:
            error = f"has no list '{missing[0]}'", "export it as COCO instances"
    if error:
        report(Problem(None, None, *error))
        return None
    return content


def _read(path: Path) -> tuple[Any, WhatAndFix | None]:
    """The content of a JSON file, or what is wrong with it and the fix."""
    if path.is_dir():
        return None, ("is a folder", "name the COCO JSON in it")
    try:
        check_no_link_out(path)
        return read_dataset_json(path), None
    except FileNotFoundError:
        return None, ("does not exist", "check the path of the dataset")
    except OSError as error:
        return None, (f"cannot be read ({error.strerror})", "check its permissions")
    except DocumentError as error:
        if error.empty:
            return None, ("is empty", "it may be truncated: export it again")
        if error.line is not None:
            return None, (f"is not JSON (line {error.line}: {error.reason})", "it may be truncated: export it again")
        return None, (f"is not JSON text ({error.reason})", "export the dataset as COCO JSON")


def _images(items: list[Any], files: ImageFiles, report: Report) -> tuple[dict[int, ImageRecord], set[int]]:
    """The valid images by id, and the ids of those left out, whose annotations are not further errors."""
    found: dict[int, ImageRecord] = {}
    left_out: set[int] = set()
    for position, item in enumerate(items):
        id = whole(item.get("id")) if isinstance(item, dict) else None
        if id is None:
            report(Problem(None, None, f"images[{position}] has no whole-number id", "give it one"))
            continue
        read = _image(id, item, files)
        if id in found or id in left_out:
            read = "its id is there twice", "give every image its own id"
        if isinstance(read, ImageRecord):
            found[id] = read
        else:
            report(Problem(id, None, *read))
            left_out.add(id)
    return found, left_out


def _image(id: int, item: dict[str, Any], files: ImageFiles) -> ImageRecord | WhatAndFix:
    given = item.get("file_name")
    if not isinstance(given, str) or not given:
        return "it has no 'file_name'", "give its path relative to the JSON"
    file = files.find(given)
    if not isinstance(file, ImageFile):
        return file
    width, height = whole(item.get("width")), whole(item.get("height"))
    if width is None or height is None or width < 1 or height < 1 or width * height > PIXEL_LIMIT:
        return "its 'width' and 'height' are not sizes in pixels", "write the size of the image file"
    tags = item.get("tags")
    if tags is not None and not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        return "its 'tags' are not a list of strings", 'write them like ["blurred"]'
    wrong = half_letter_in("its tag", tags)
    if wrong is not None:
        return wrong
    return ImageRecord(id, file.path, file.name, width, height, tuple(dict.fromkeys(tags or ())))
