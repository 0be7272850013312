"""One label image per radiograph: `labels/IMAGE.png`, 16 bits; a pixel's value is its object, 0 is none.

IMAGE is named as in the format png. Values are read as stored, with any number of bits; of a palette, the indices.
TIFF is read as well.

A pixel has one value, so overlap is lost. The smaller object stays on top: a filling on its tooth remains.
`labels.json` gives the category of each value in each image. Without it the value is the category's name: an FDI
number is its tooth.

The layout of Pascal VOC, with folders `JPEGImages`, `SegmentationObject` and `SegmentationClass`, is read too (see
`codecs.voc`).
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dentasam.data.dataset import Dataset
from dentasam.data.formats.codecs.voc import is_voc, voc_contents
from dentasam.data.formats.files.folders import (
    by_canonical_name,
    crowd_notes,
    first_of,
    images_under,
    inner_name,
    json_bytes,
    png_bytes,
    read_json_object,
    read_tags,
    short_names,
    write_tags,
)
from dentasam.data.formats.files.mask_file import SUFFIXES, read_labels
from dentasam.data.formats.files.numbering_mark import read_numbering, write_numbering
from dentasam.data.formats.interface import Contents, ReadOptions, SourceRecord, WriteFile
from dentasam.data.formats.sources.images import SourceImage, SourceImages
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.data.spelling import Spelling, canonical
from dentasam.errors import DatasetError

NAMES = "labels.json"
# A 16-bit label image has no more values beside 0.
MAX_OBJECTS = 65535


def recognises(source: Path) -> bool:
    """A folder with `labels`, in which there is a PNG or TIFF, or one in the layout of Pascal VOC."""
    if is_voc(source):
        return True
    return any(next((source / "labels").rglob(f"*{suffix}"), None) is not None for suffix in SUFFIXES)


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Reads `images`, `labels` and, where they exist, `labels.json` and `tags.json` of a folder.

    Loading an image raises DatasetError for a label image that is missing, in colour or of another size, and for a
    value that `labels.json` does not name.
    """
    if is_voc(source):
        return voc_contents(source, images, options)
    names, tags = by_canonical_name(read_json_object(source / NAMES)), read_tags(source)
    found = images_under(source, images)
    short, spelling = short_names(found), Spelling()

    if images.partial:
        found = {
            name: image for name, image in found.items() if _files(spelling, source / "labels", short[name], name)
        }

    def load(name: str, image: SourceImage) -> ImageRecord:
        height, width = image.size
        labels = _labels(spelling, source / "labels", [short[name], name], height, width)
        categories = names.get(canonical(name), {})
        objects = tuple(
            ObjectRecord.from_mask(0, _category(source / NAMES, name, categories, value), labels == value)
            for value in np.unique(labels[labels > 0]).tolist()
        )
        return ImageRecord(0, image.path, name, width, height, tags.get(canonical(name), ()), objects)

    records = [SourceRecord(f"images/{name}", partial(load, name, image)) for name, image in found.items()]
    return Contents(records, read_numbering(source))


def write_annotations(dataset: Dataset, write: WriteFile) -> tuple[str, ...]:
    """Writes `labels/`, `labels.json` and `tags.json`; says how many objects lost pixels to others."""
    names: dict[str, dict[str, str]] = {}
    short = short_names(inner_name(image) for image in dataset.images)
    lost = Lost()
    for image in dataset.images:
        name = inner_name(image)
        lost += write_labels(image, short[name], write)
        names[name] = categories_by_value(image)
    write(NAMES, json_bytes(names))
    write_tags(dataset, write)
    write_numbering(dataset, write)
    return (*lost.notes(dataset.objects), *crowd_notes(dataset))


@dataclass(frozen=True)
class Lost:
    """How many objects lost some of their pixels to others, and how many all of them."""

    clipped: int = 0
    vanished: int = 0

    def __add__(self, other: "Lost") -> "Lost":
        return Lost(self.clipped + other.clipped, self.vanished + other.vanished)

    def notes(self, objects: int) -> tuple[str, ...]:
        """A line for the user where anything was lost; objects: how many there are."""
        if not self.clipped and not self.vanished:
            return ()
        lost = f"{self.clipped} lost pixels to overlap and {self.vanished} vanished"
        return (f"of {objects} objects {lost}; the format png keeps them",)


def write_labels(image: ImageRecord, short: str, write: WriteFile) -> Lost:
    """Writes the label image of one radiograph; short: its name under `labels/` (see `short_names`)."""
    labels, lost = label_image(image)
    write(label_name(short), png_bytes(labels))
    return lost


def label_name(short: str) -> str:
    """The path of a label image; short: its radiograph's name under `labels/`."""
    return f"labels/{short}.png"


def categories_by_value(image: ImageRecord) -> dict[str, str]:
    """The entry of an image in `labels.json`: the category of each value."""
    return {str(index): record.category for index, record in enumerate(image.objects, start=1)}


def label_image(image: ImageRecord) -> tuple[np.ndarray, Lost]:
    """The label image (H, W) uint16, whose values are the objects' places from 1 on, and what it could not keep.

    Raises DatasetError for more objects than values, and as `ImageRecord.masks`.
    """
    if len(image.objects) > MAX_OBJECTS:
        raise DatasetError(f"{image.path}: more than {MAX_OBJECTS} objects; export as png")
    masks = image.masks()
    areas = masks.sum(axis=(1, 2))
    labels = np.zeros((image.height, image.width), np.uint16)
    for index in np.argsort(-areas, kind="stable"):
        labels[masks[index]] = index + 1
    kept = np.bincount(labels.reshape(-1), minlength=len(masks) + 1)[1:]
    return labels, Lost(int(((kept < areas) & (kept > 0)).sum()), int((kept == 0).sum()))


def _files(spelling: Spelling, folder: Path, *names: str) -> list[Path]:
    """The label images of one radiograph, at most one for each suffix."""
    found = [first_of(spelling, folder, *(f"{name}{suffix}" for name in names)) for suffix in SUFFIXES]
    return [file for file in found if file is not None]


def _labels(spelling: Spelling, folder: Path, names: list[str], height: int, width: int) -> np.ndarray:
    files = _files(spelling, folder, *names)
    if not files:
        raise DatasetError(f"{folder / names[0]}.png is missing; put the label image of {names[-1]} there")
    if len(files) > 1:
        raise DatasetError(f"{files[0]} and {files[1].name} are labels of one image; take one of them out")
    file = files[0]
    labels = read_labels(file)
    if labels.shape != (height, width):
        raise DatasetError(
            f"{file} has {labels.shape[1]}x{labels.shape[0]} pixels, its image {width}x{height}; "
            "export the labels again at the image's size"
        )
    return labels


def _category(path: Path, image: str, categories: Any, value: int) -> str:
    name = categories.get(str(value)) if isinstance(categories, dict) else None
    if name is None and not categories:
        return str(value)
    if not isinstance(name, str) or not name:
        raise DatasetError(f"{path}: value {value} of {image} has no category; add it there")
    return name
