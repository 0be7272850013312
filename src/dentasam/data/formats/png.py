"""A PNG file per object, which keeps overlap: `masks/IMAGE/NUMBER_CATEGORY.png`, white on black.

Other forms of masks (TIFF, transparency, a palette, soft edges) are read by `mask_file`.

Masks that lie together in one folder are read where their names leave no doubt: `masks/IMAGE-36.png` and
`masks/IMAGE_7_36.png` are tooth 36 of IMAGE, `masks/IMAGE.png` and `masks/IMAGE_mask.png` are one object without a
category. A name that begins with those of two images is refused.

IMAGE is the image's path under `images/` without its suffix, or with it where two images would share the
name. Characters of a category that a file name cannot hold are percent-encoded. Tags lie in
`tags.json`.
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn
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
from dentasam.data.formats.files.mask_file import SUFFIXES, read_mask, stored_size
from dentasam.data.formats.files.numbering_mark import read_numbering, write_numbering
from dentasam.data.formats.interface import Contents, ReadOptions, SourceRecord, WriteFile
from dentasam.data.formats.sources.images import ImageNotFound, SourceImage, SourceImages
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.data.spelling import Spelling, canonical
from dentasam.data.teeth.numbering import Numbering, to_fdi
from dentasam.errors import DatasetError

# 0007_36.png and 7-36.png are object 7 of category 36; 36.png is the category alone.
FILE_STEM = re.compile(r"(?:([0-9]+)[_-])?(.+)")
# What follows an image's name in those of masks that do not say what they show.
NO_CATEGORY = ("", "mask", "masks", "seg", "segmentation", "label", "gt")
UNNAMED = "object"
# A mask of more of the image, with all of its corners, is that of the ground.
MAX_SHARE = 0.6


def recognises(source: Path) -> bool:
    """A folder with `masks`, in which there is a folder for an image or a mask."""
    masks = source / "masks"
    return masks.is_dir() and any(path.is_dir() or path.suffix.lower() in SUFFIXES for path in masks.iterdir())


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Reads `images` and `masks` of a folder. Objects are numbered anew, by the order of file names.

    Loading an image raises DatasetError for a mask that is empty or not of its image's size. Raises DatasetError for
    masks of no image.
    """
    tags = read_tags(source)
    found = images_under(source, images)
    if not (source / "masks").is_dir():
        raise DatasetError(f"{source} has no folder 'masks'; put a PNG for each object there")
    short, spelling = short_names(found), Spelling()
    folders = {name: first_of(spelling, source / "masks", short[name], name) for name in found}
    claimed = {folder: name for name, folder in folders.items() if folder is not None}
    starts = {canonical(start): name for name, start in short.items()}
    masks: dict[str, list[tuple[Path, str]]] = {name: [] for name in found}
    strangers: list[SourceRecord] = []
    for file in _mask_files(source / "masks"):
        if file.parent in claimed:
            match = FILE_STEM.fullmatch(file.stem)
            masks[claimed[file.parent]].append((file, unquote(match[2]) if match else file.stem))
            continue
        try:
            name, category = _named_by_image(file, source / "masks", starts)
        except ImageNotFound as error:
            if not images.partial:
                raise
            strangers.append(SourceRecord(str(file), partial(_refuse, error)))
            continue
        masks[name].append((file, category))
    if unnamed := sum(category == UNNAMED for own in masks.values() for _, category in own):
        options.report(f"masks named as their images alone: {unnamed}; their category is {UNNAMED!r}")
    return Contents(
        [
            SourceRecord(
                f"images/{name}", partial(_load, image, masks[name], tags.get(canonical(name), ()), options.report)
            )
            for name, image in found.items()
        ]
        + strangers,
        read_numbering(source),
        assumed=Numbering.fdi,
    )


def _named_by_image(file: Path, masks: Path, starts: dict[str, str]) -> tuple[str, str]:
    """The image that a mask outside of the images' own folders belongs to, and its category.

    starts: images by their names under `masks/`. Raises ImageNotFound where no image fits, DatasetError where several
    do, and for a number that is not a tooth's.
    """
    own = canonical(file.relative_to(masks).with_suffix("").as_posix())
    ends = [place for place, mark in enumerate(own) if mark in "_-"] + [len(own)]
    fitting = [(starts[own[:end]], own[end:]) for end in ends if own[:end] in starts]
    if not fitting and file.parent == masks:
        raise ImageNotFound(f"{file}: no image of this name in 'images'; rename the mask or take it out")
    if not fitting:
        raise ImageNotFound(f"{file.parent}: no image of this name in 'images'; rename the folder")
    if len(fitting) > 1:
        several = " and ".join(name for name, _ in fitting[:2])
        raise DatasetError(f"{file} may be of {several}; put the masks of each image into a folder of its name")
    name, rest = fitting[0]
    match = FILE_STEM.fullmatch(rest[1:])
    category = unquote(match[2]) if match else ""
    if category.lower() in NO_CATEGORY:
        return name, UNNAMED
    if category.isdecimal() and to_fdi(category, Numbering.fdi) is None:
        raise DatasetError(f"{file}: {category} is not the number of a tooth; name it IMAGE_NUMBER_CATEGORY")
    return name, category


def _refuse(error: ImageNotFound) -> NoReturn:
    raise error


def _load(
    image: SourceImage, files: list[tuple[Path, str]], tags: tuple[str, ...], report: Callable[[str], None]
) -> ImageRecord:
    height, width = image.size
    objects: list[ObjectRecord] = []
    soft = 0
    for file, category in files:
        record, cut = _object(file, category, height, width)
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
    write_numbering(dataset, write)
    return crowd_notes(dataset)


def write_masks(image: ImageRecord, short: str, write: WriteFile) -> None:
    """Writes the masks of one image; short: its name under `masks/` (see `short_names`)."""
    for record, mask in zip(image.objects, image.each_mask(), strict=True):
        write(mask_name(record, short), png_bytes(mask.astype(np.uint8) * 255))


def mask_name(record: ObjectRecord, short: str) -> str:
    """The path of an object's file; short: its image's name under `masks/`."""
    return f"masks/{short}/{record.id:05d}_{quote(record.category, safe=' ')}.png"


def _object(file: Path, category: str, height: int, width: int) -> tuple[ObjectRecord, bool]:
    size = stored_size(file)
    if size != (height, width):
        raise DatasetError(
            f"{file} has {size[1]}x{size[0]} pixels, its image {width}x{height}; "
            "export the mask again at the image's size"
        )
    mask, cut = read_mask(file)
    if not mask.any():
        raise DatasetError(f"{file}: the mask is empty; delete the file or draw it again")
    if mask.mean() > MAX_SHARE and mask[[0, 0, -1, -1], [0, -1, 0, -1]].all():
        raise DatasetError(f"{file} covers most of the image and its corners; save the mask as white on black")
    try:
        return ObjectRecord.from_mask(0, category, mask), cut
    except DatasetError as error:
        raise DatasetError(f"{file}: {error}") from None


def _mask_files(masks: Path) -> list[Path]:
    files = (path for path in sorted(masks.rglob("*")) if path.suffix.lower() in SUFFIXES and path.is_file())
    # On disks that macOS wrote, each file has a hidden one beside it.
    return [path for path in files if not path.name.startswith(".")]
