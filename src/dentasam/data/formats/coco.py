"""COCO instances with its images, in one folder that can be moved or sent as it is.

Polygons are on the corners of pixels. The dialects that are read are described in `dentasam.data.coco`.
"""

import os
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from dentasam.data.coco.parse import parse
from dentasam.data.coco.passed_over import lines
from dentasam.data.coco.problem import Problem
from dentasam.data.coco.text import coco_text
from dentasam.data.dataset import Dataset
from dentasam.data.formats.files.folders import DATASET_NAME, sharing_files
from dentasam.data.formats.interface import Contents, ReadOptions, SourceRecord, WriteFile
from dentasam.data.formats.sources.glance import first_text
from dentasam.data.formats.sources.images import SourceImages
from dentasam.data.formats.tooth_names import declared
from dentasam.data.images.orientation import wrong_size
from dentasam.data.images.read import read_header
from dentasam.data.record import Category, ImageRecord
from dentasam.data.teeth.numbering import MARK, Numbering
from dentasam.errors import DatasetError

# Where the JSON lies in a folder that tools write, the usual names first.
USUAL_NAMES = (DATASET_NAME, "_annotations.coco.json", "annotations.json", "annotations/instances_default.json")
# Parts of a dataset that tools keep apart, by the names of their folders.
PARTS = ("train", "training", "val", "valid", "validation", "test", "testing")
ANNOTATIONS, INSTANCES = "annotations", "instances_"
MAX_SHOWN = 5
# Label Studio's list of classes beside labels for YOLO.
OTHERS = ("notes.json",)


def recognises(source: Path) -> bool:
    """A JSON whose beginning has a list of COCO, or a folder with one such file or one for each part of a dataset."""
    if source.is_dir():
        found = _jsons_in(source)
        # nnU-Net has a dataset.json of another kind.
        return bool(found) and all(map(recognises, found.values()))
    text = first_text(source)
    return text.lstrip("\ufeff \n\r\t").startswith("{") and any(
        key in text for key in ('"annotations"', '"categories"', '"licenses"')
    )


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Reads the whole JSON; polygons and uncompressed masks become compressed RLE when an image is loaded.

    The parts of a dataset that is split into training and other images become one; their names lead those of their
    images. Ids are kept where they are unique and greater than 0, and otherwise given anew.
    """
    paths = _jsons_in(source) if source.is_dir() else {"": source}
    if not paths:
        raise DatasetError(_none_in(source))

    def report(path: Path, problem: Problem) -> None:
        if options.skip_bad is None:
            raise DatasetError(problem.line(path))
        options.skip_bad(problem.line(path))

    folder = Path(images.place) if images.root is None else None
    place = images.root or folder or source.parent
    found: list[ImageRecord] = []
    sources: list[Path] = []
    categories: dict[str, Category] = {}
    info: dict[str, Any] = {}
    for part, path in paths.items():
        whole, crowds, links = Path(os.path.abspath(path)), options.crowd_as_objects, options.follow_links
        parsed = parse(whole, partial(report, path), folder, crowds, True, links, place)
        for line in lines(parsed.passed_over):
            options.report(f"{part}: {line}" if part else line)
        found.extend(_named_by_part(image, part) for image in parsed.images)
        sources.extend([path] * len(parsed.images))
        # A category whose id another part gave to another name is left to the dataset, which finds a free one.
        taken = {category.id for category in categories.values()}
        for category in parsed.categories:
            if category.id not in taken:
                categories.setdefault(category.name, category)
        info = info or dict(parsed.info or {})
    kept = _with_unique_ids(found)
    numbered = enumerate(zip(kept, sources, strict=True), start=1)
    records = [
        SourceRecord(f"image {image.id or number}", partial(_checked, image, path))
        for number, (image, path) in numbered
    ]
    numbering = declared(info.pop(MARK, None))
    return Contents(records, numbering, list(categories.values()), info, assumed=Numbering.fdi)


def named_images(dataset: Dataset) -> Dataset:
    """Names under `images/`; records of one file, such as those of several annotators, share it."""
    return sharing_files(dataset)


def write_annotations(dataset: Dataset, write: WriteFile) -> tuple[str, ...]:
    """Writes `dataset.json`, which names the images as the dataset does."""
    text = coco_text(dataset.path, dataset.images, dataset.categories, dataset.info)
    write(DATASET_NAME, b"".join(map(str.encode, text)))
    return ()


def _checked(image: ImageRecord, json: Path) -> ImageRecord:
    """The image of a COCO file. Raises ImageError for a file that is not an image, DatasetError for another size."""
    header = read_header(image.path)
    stored, wanted = (header.height, header.width), (image.height, image.width)
    if stored != wanted:
        what, fix = wrong_size(image.file_name, stored, wanted, header.orientation)
        raise DatasetError(f"{json}: {what}; {fix}")
    return image


def json_in(folder: Path) -> Path | None:
    """The COCO JSON of a folder: one of the usual names, or the only JSON in it or under `annotations`."""
    for name in USUAL_NAMES:
        if (folder / name).is_file():
            return folder / name
    for place in (folder, folder / ANNOTATIONS):
        found = _jsons(place)
        if len(found) == 1 and recognises(found[0]):
            return found[0]
    return None


def _jsons_in(folder: Path) -> dict[str, Path]:
    """The COCO JSONs of a folder by the parts of the dataset that they hold; that of a whole dataset is called "".

    Roboflow has a folder for each part, CVAT and COCO itself a file `annotations/instances_PART.json`.
    """
    whole = json_in(folder)
    if whole is not None:
        return {"": whole}
    places = {path.name: path for path in sorted(folder.glob("*")) if path.name.lower() in PARTS and path.is_dir()}
    parts = {name: path for name, place in places.items() if (path := json_in(place)) is not None}
    if parts:
        return parts
    found = [path for path in _jsons(folder / ANNOTATIONS) if path.stem.startswith(INSTANCES) and recognises(path)]
    return {path.stem.removeprefix(INSTANCES): path for path in found}


def _jsons(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.json")) if path.is_file() and path.name not in OTHERS]


def is_or_holds_json(place: Path) -> bool:
    """Whether a source is a JSON file, or a folder with COCO files of which one must be named."""
    return bool(_cocos_in(place)) if place.is_dir() else place.suffix.lower() == ".json"


def _cocos_in(folder: Path) -> list[str]:
    return [path.name for path in (*_jsons(folder), *_jsons(folder / ANNOTATIONS)) if recognises(path)]


def _none_in(folder: Path) -> str:
    several = _cocos_in(folder)
    if not several:
        return f"{folder} holds no COCO JSON; name the JSON itself"
    shown = ", ".join(several[:MAX_SHOWN]) + ", …" * (len(several) > MAX_SHOWN)
    return f"{folder} holds {len(several)} COCO JSONs ({shown}); name one of them"


def _named_by_part(image: ImageRecord, part: str) -> ImageRecord:
    """The image with its part as the first folder of its name."""
    return replace(image, file_name=f"{part}/{image.file_name}") if part else image


def _with_unique_ids(images: list[ImageRecord]) -> list[ImageRecord]:
    """The images with 0, which stands for the next free id, for all ids of a kind of which one repeats or is 0."""
    if not _are_unique(image.id for image in images):
        images = [replace(image, id=0) for image in images]
    if _are_unique(record.id for image in images for record in (*image.objects, *image.crowds)):
        return images
    return [
        replace(
            image,
            objects=tuple(replace(record, id=0) for record in image.objects),
            crowds=tuple(replace(record, id=0) for record in image.crowds),
        )
        for image in images
    ]


def _are_unique(ids: Iterable[int]) -> bool:
    given = list(ids)
    return len(set(given)) == len(given) and min(given, default=1) > 0
