"""A PNG file per object, which keeps overlap: `masks/IMAGE/NUMBER_CATEGORY.png`, white on black.

Other forms of masks (transparency, a palette, soft edges) are read by `mask_file`.

IMAGE is the image's path under `images/` without its suffix, or with it where two images would share the
name. Characters of a category that a file name cannot hold are percent-encoded. Tags lie in
`tags.json`.
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np

from dentasam.data.dataset import Dataset
from dentasam.data.formats.files.folders import (
    crowd_notes,
    first_of,
    images_under,
    inner_name,
    png_bytes,
    read_tags,
    short_names,
    write_tags,
)
from dentasam.data.formats.files.mask_file import read_mask
from dentasam.data.formats.interface import Contents, ReadOptions, SourceRecord, WriteFile
from dentasam.data.formats.sources.images import SourceImage, SourceImages
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.data.spelling import Spelling, canonical
from dentasam.data.teeth.numbering import Numbering
from dentasam.errors import DatasetError

# 0007_36.png and 7-36.png are object 7 of category 36; 36.png is the category alone.
FILE_STEM = re.compile(r"(?:(\d+)[_-])?(.+)")


def recognises(source: Path) -> bool:
    """A folder with `masks`, in which there is a folder for an image."""
    masks = source / "masks"
    return masks.is_dir() and any(path.is_dir() for path in masks.iterdir())


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Reads `images` and `masks` of a folder. Objects are numbered anew, by the order of file names.

    Loading an image raises DatasetError for a mask that is empty or not of its image's size. Raises DatasetError for
    masks of no image.
    """
    tags = read_tags(source)
    found = images_under(source, images)
    short, spelling = short_names(found), Spelling()
    folders = {name: first_of(spelling, source / "masks", short[name], name) for name in found}
    _check_all_claimed(source / "masks", {folder for folder in folders.values() if folder is not None})
    return Contents(
        [
            SourceRecord(
                f"images/{name}", partial(_load, image, folders[name], tags.get(canonical(name), ()), options.report)
            )
            for name, image in found.items()
        ],
        Numbering.fdi,
    )


def _load(
    image: SourceImage, folder: Path | None, tags: tuple[str, ...], report: Callable[[str], None]
) -> ImageRecord:
    height, width = image.size
    objects: list[ObjectRecord] = []
    soft = 0
    for file in sorted(folder.glob("*.png")) if folder is not None else ():
        record, cut = _object(file, height, width)
        objects.append(record)
        soft += cut
    if soft:
        report(f"{soft} masks of {image.name} have grays between black and white; they were cut at half")
    return ImageRecord(0, image.path, image.name, width, height, tags, tuple(objects))


def write_annotations(dataset: Dataset, write: WriteFile) -> tuple[str, ...]:
    """Writes `masks/` and `tags.json`; an object's number is its annotation id."""
    short = short_names(inner_name(image) for image in dataset.images)
    for image in dataset.images:
        write_masks(image, short[inner_name(image)], write)
    write_tags(dataset, write)
    return crowd_notes(dataset)


def write_masks(image: ImageRecord, short: str, write: WriteFile) -> None:
    """Writes the masks of one image; short: its name under `masks/` (see `short_names`)."""
    for record, mask in zip(image.objects, image.each_mask(), strict=True):
        write(mask_name(record, short), png_bytes(mask.astype(np.uint8) * 255))


def mask_name(record: ObjectRecord, short: str) -> str:
    """The path of an object's file; short: its image's name under `masks/`."""
    return f"masks/{short}/{record.id:05d}_{quote(record.category, safe=' ')}.png"


def _object(file: Path, height: int, width: int) -> tuple[ObjectRecord, bool]:
    mask, cut = read_mask(file)
    if mask.shape != (height, width):
        raise DatasetError(
            f"{file} has {mask.shape[1]}x{mask.shape[0]} pixels, its image {width}x{height}; "
            "export the mask again at the image's size"
        )
    if not mask.any():
        raise DatasetError(f"{file}: the mask is empty; delete the file or draw it again")
    match = FILE_STEM.fullmatch(file.stem)
    return ObjectRecord.from_mask(0, unquote(match[2]) if match else file.stem, mask), cut


def _check_all_claimed(masks: Path, claimed: set[Path]) -> None:
    """Raises DatasetError for a folder of masks that belongs to no image: its name is probably misspelt."""
    for file in sorted(masks.rglob("*.png")):
        if file.is_file() and file.parent not in claimed:
            raise DatasetError(f"{file.parent}: no image of this name in 'images'; rename the folder")
