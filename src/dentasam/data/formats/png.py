"""A PNG file per object, which keeps overlap: `masks/IMAGE/NUMBER_CATEGORY.png`, white on black.

Other forms of masks (transparency, a palette, soft edges) are read by `mask_file`.

IMAGE is the image's path under `images/` without its suffix, or with it where two images would share the
name. Characters of a category that a file name cannot hold are percent-encoded. Tags lie in
`tags.json`.
"""

import re
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np

from dentasam.data.dataset import Dataset
from dentasam.data.formats.folders import (
    DATASET_NAME,
    crowd_notes,
    find_images,
    first_of,
    inner_name,
    png_bytes,
    read_tags,
    short_names,
    with_images_under,
    write_tags,
)
from dentasam.data.formats.interface import ImportOptions, WriteFile
from dentasam.data.formats.mask_file import read_mask
from dentasam.data.images.read import image_size
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.data.spelling import Spelling, canonical
from dentasam.errors import DatasetError

# 0007_36.png and 7-36.png are object 7 of category 36; 36.png is the category alone.
FILE_STEM = re.compile(r"(?:(\d+)[_-])?(.+)")


def import_dataset(source: Path, out: Path, options: ImportOptions) -> Path:
    """Reads `source/images` and `source/masks`. Objects are numbered anew, by the order of file names.

    Raises DatasetError for a mask that is empty or not of its image's size, and for masks of no image.
    """
    tags = read_tags(source)
    images: list[ImageRecord] = []
    claimed: set[Path] = set()
    next_object, soft = 1, 0
    paths = find_images(source, options.report)
    short, spelling = short_names(paths), Spelling()
    for number, (name, path) in enumerate(paths.items(), start=1):
        height, width = image_size(path)
        folder = first_of(spelling, source / "masks", short[name], name)
        objects: list[ObjectRecord] = []
        for file in sorted(folder.glob("*.png")) if folder is not None else ():
            record, cut = _object(next_object, file, height, width)
            objects.append(record)
            next_object, soft = next_object + 1, soft + cut
        if folder:
            claimed.add(folder)
        image_tags = tags.get(canonical(name), ())
        images.append(ImageRecord(number, path.absolute(), name, width, height, image_tags, tuple(objects)))
        options.progress(number, len(paths))
    if soft:
        options.report(f"{soft} masks have greys between black and white; they were cut at half")
    _check_all_claimed(source / "masks", claimed)
    dataset = Dataset(source, tuple(images))
    return with_images_under(dataset, out).write(out / DATASET_NAME)


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


def _object(id: int, file: Path, height: int, width: int) -> tuple[ObjectRecord, bool]:
    mask, cut = read_mask(file)
    if mask.shape != (height, width):
        raise DatasetError(
            f"{file} has {mask.shape[1]}x{mask.shape[0]} pixels, its image {width}x{height}; "
            "export the mask again at the image's size"
        )
    if not mask.any():
        raise DatasetError(f"{file}: the mask is empty; delete the file or draw it again")
    match = FILE_STEM.fullmatch(file.stem)
    return ObjectRecord.from_mask(id, unquote(match[2]) if match else file.stem, mask), cut


def _check_all_claimed(masks: Path, claimed: set[Path]) -> None:
    """Raises DatasetError for a folder of masks that belongs to no image: its name is probably misspelt."""
    for file in sorted(masks.rglob("*.png")):
        if file.is_file() and file.parent not in claimed:
            raise DatasetError(f"{file.parent}: no image of this name in 'images'; rename the folder")
