"""One label image per radiograph: `labels/IMAGE.png`, 16 bits; a pixel's value is its object, 0 is none.

IMAGE is named as in the format png. Values are read as stored, with any number of bits; of a palette, the indices.
TIFF is read as well.

A pixel has one value, so overlap is lost. The smaller object stays on top: a filling on its tooth remains.
`labels.json` gives the category of each value, in each image or in all of them; a label file of ITK-SNAP is read in
its place. Without either the value is the category's name: an FDI number is its tooth.

The layout of Pascal VOC, with folders `JPEGImages`, `SegmentationObject` and `SegmentationClass`, is read too (see
`codecs.voc`).
"""

from functools import partial
from pathlib import Path

import numpy as np

from dentasam.data.dataset import Dataset
from dentasam.data.formats.codecs.label_image import Lost, instance_image, runs_by_value
from dentasam.data.formats.codecs.label_names import NAMES, read_label_names
from dentasam.data.formats.codecs.voc import is_voc, voc_contents
from dentasam.data.formats.files.folders import (
    crowd_notes,
    first_of,
    images_under,
    inner_name,
    json_bytes,
    png_bytes,
    read_tags,
    short_names,
    write_tags,
)
from dentasam.data.formats.files.mask_file import SUFFIXES, read_labels, stored_size
from dentasam.data.formats.files.numbering_mark import read_numbering, write_numbering
from dentasam.data.formats.interface import Contents, ReadOptions, SourceRecord, WriteFile
from dentasam.data.formats.sources.images import SourceImage, SourceImages
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.data.spelling import Spelling, canonical
from dentasam.data.teeth.numbering import Numbering
from dentasam.errors import DatasetError

LABELS = "labels"


def recognises(source: Path) -> bool:
    """A folder with `labels`, in which there is a PNG or TIFF, or one in the layout of Pascal VOC."""
    if is_voc(source):
        return True
    return any(next((source / LABELS).rglob(f"*{suffix}"), None) is not None for suffix in SUFFIXES)


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Reads `images`, `labels` and, where they exist, `labels.json` and `tags.json` of a folder.

    Loading an image raises DatasetError for a label image that is missing, in colour, of another size or of too many
    values, and for a value that `labels.json` does not name.
    """
    if is_voc(source):
        return voc_contents(source, images, options)
    names, tags = read_label_names(source, source / LABELS), read_tags(source)
    found = images_under(source, images)
    short, spelling = short_names(found), Spelling()

    if images.partial:
        found = {name: image for name, image in found.items() if _files(spelling, source / LABELS, short[name], name)}

    def load(name: str, image: SourceImage) -> ImageRecord:
        height, width = image.size
        file, labels = _labels(spelling, source / LABELS, [short[name], name], height, width)
        objects = tuple(
            ObjectRecord.from_runs(0, names.category(name, value), runs, height, width)
            for value, runs in runs_by_value(labels, file)
        )
        return ImageRecord(0, image.path, name, width, height, tags.get(canonical(name), ()), objects)

    records = [SourceRecord(f"images/{name}", partial(load, name, image)) for name, image in found.items()]
    stated = None if names.path is None else names.numbering
    return Contents(records, stated or read_numbering(source), assumed=Numbering.fdi)


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


def write_labels(image: ImageRecord, short: str, write: WriteFile) -> Lost:
    """Writes the label image of one radiograph; short: its name under `labels/` (see `short_names`)."""
    labels, lost = instance_image(image)
    write(label_name(short), png_bytes(labels))
    return lost


def label_name(short: str) -> str:
    """The path of a label image; short: its radiograph's name under `labels/`."""
    return f"labels/{short}.png"


def categories_by_value(image: ImageRecord) -> dict[str, str]:
    """The entry of an image in `labels.json`: the category of each value."""
    return {str(index): record.category for index, record in enumerate(image.objects, start=1)}


def _files(spelling: Spelling, folder: Path, *names: str) -> list[Path]:
    """The label images of one radiograph, at most one for each suffix."""
    found = [first_of(spelling, folder, *(f"{name}{suffix}" for name in names)) for suffix in SUFFIXES]
    return [file for file in found if file is not None]


def _labels(spelling: Spelling, folder: Path, names: list[str], height: int, width: int) -> tuple[Path, np.ndarray]:
    """The label image of a radiograph with one of the names: its file, and its values (H, W)."""
    files = _files(spelling, folder, *names)
    if not files:
        raise DatasetError(f"{folder / names[0]}.png is missing; put the label image of {names[-1]} there")
    if len(files) > 1:
        raise DatasetError(f"{files[0]} and {files[1].name} are labels of one image; take one of them out")
    file = files[0]
    size = stored_size(file)
    if size != (height, width):
        raise DatasetError(
            f"{file} has {size[1]}x{size[0]} pixels, its image {width}x{height}; "
            "export the labels again at the image's size"
        )
    return file, read_labels(file)
