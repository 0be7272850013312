"""Label images in the layout of Pascal VOC, as VOC itself, CVAT and datumaro ("Segmentation mask 1.1") write them.

::

    JPEGImages/a.jpg            the image
    SegmentationObject/a.png    a value or colour for each object
    SegmentationClass/a.png     a value or colour for each class
    labelmap.txt                `name:red,green,blue:parts:actions` for each class, as CVAT writes it

Values are the indices of a palette, or colours: those of `labelmap.txt`, else VOC's own, which stand for indices. 0
or black is the ground. 255, or the colour 224, 224, 192, is the border between objects (void), and belongs to none. A
class without a name in `labelmap.txt` has its index for a name. Without `SegmentationObject` all pixels of a class
are one object. Overlap is lost in such files.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

import numpy as np

from dentasam.data.formats.codecs.label_image import check_count, runs_by_value
from dentasam.data.formats.files.mask_file import levels, samples_of, stored_size
from dentasam.data.formats.interface import Contents, ReadOptions, SourceRecord
from dentasam.data.formats.sources.images import SourceImages
from dentasam.data.images.strips import combined, converted, strips
from dentasam.data.links import check_no_link_out
from dentasam.data.masks import rle
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.documents.values import is_digits
from dentasam.errors import DatasetError

IMAGES, OBJECTS, CLASSES, NAMES = "JPEGImages", "SegmentationObject", "SegmentationClass", "labelmap.txt"
VOID, VOID_COLOUR = 255, (224, 224, 192)
# A photograph has so many before all of it is seen.
MANY_COLOURS = 1 << 16
EXPORT_AGAIN = "export it again with both SegmentationClass and SegmentationObject"


def is_voc(source: Path) -> bool:
    """Whether a folder has label images where VOC has them."""
    return (source / CLASSES).is_dir()


def voc_contents(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """One record for each file in `SegmentationClass`; a line counts the images without one.

    Raises DatasetError for a `labelmap.txt` that cannot be read and where no image is labelled.
    """
    names = _names(source / NAMES)
    found = images.within(IMAGES)
    files = sorted((source / CLASSES).rglob("*.png"))
    if not files:
        raise DatasetError(f"{source / CLASSES} holds no PNG; {EXPORT_AGAIN}")
    if images.root is not None and (others := len(found) - len(files)) > 0:
        options.report(f"images without a file in {CLASSES} left out: {others}; they are not labelled")
    if not (source / OBJECTS).is_dir():
        options.report(f"{source} has no {OBJECTS}: all pixels of a class are one object")
    for file in files:
        found.expect(file.relative_to(source / CLASSES).as_posix(), annotation=file, stem=True)
    load = partial(_load, source=source, images=found, names=names)
    return Contents([SourceRecord(str(file), partial(load, file)) for file in files])


def _load(file: Path, source: Path, images: SourceImages, names: dict[tuple[int, ...], str]) -> ImageRecord:
    inner = file.relative_to(source / CLASSES).as_posix()
    image = images.find_stem(inner, file)
    height, width = image.size
    classes, colours = _values(file, height, width)
    marked, values = file, classes
    if (source / OBJECTS).is_dir():
        marked = source / OBJECTS / inner
        values = _values(marked, height, width)[0]
    known = np.where(classes == VOID, 0, classes)
    records: list[ObjectRecord] = []
    for value, runs in runs_by_value(np.where(values == VOID, 0, values), marked):
        x, y, bits = rle.decode_box(runs, height)
        inside = known[y : y + bits.shape[0], x : x + bits.shape[1]][bits]
        own, counts = np.unique(inside[inside > 0], return_counts=True)
        if len(own) == 0:
            raise DatasetError(f"{marked}: object {value} has no class in {CLASSES}; {EXPORT_AGAIN}")
        index = int(own[counts.argmax()])
        records.append(ObjectRecord.from_runs(0, names.get(colours[index], str(index)), runs, height, width))
    return ImageRecord(0, image.path, image.name, width, height, (), tuple(records))


def _values(file: Path, height: int, width: int) -> tuple[np.ndarray, dict[int, tuple[int, ...]]]:
    """Values (H, W) from 0, 255 for void, and the colour that stands for each of them."""
    size = stored_size(file)
    if size != (height, width):
        raise DatasetError(
            f"{file} has {size[1]}x{size[0]} pixels, its image {width}x{height}; "
            "export the labels again at the image's size"
        )
    samples = samples_of(file)
    if samples.values.ndim == 2:
        values = samples.values
        table = palette() if samples.palette is None else samples.palette
        return values, {
            value: tuple(table[value].tolist()) if value < len(table) else () for value in levels(values).tolist()
        }
    if samples.bits != 8:
        raise DatasetError(f"{file} has colours of {samples.bits} bits; {EXPORT_AGAIN}")
    of_colour = {tuple(colour): index for index, colour in enumerate(palette().tolist())} | {VOID_COLOUR: VOID}
    red_first = np.moveaxis(samples.values, -1, 0)
    coded = combined(red_first, np.uint32, lambda part: np.array([1 << 16, 1 << 8, 1]) @ part.astype(np.int64))
    codes = np.zeros(0, np.uint32)
    for strip in strips(coded.size):
        codes = np.union1d(codes, coded.reshape(-1)[strip])
        if len(codes) > MANY_COLOURS:
            check_count(len(codes), file)
    shown = [(code >> 16, code >> 8 & 255, code & 255) for code in codes.tolist()]
    check_count(len(set(shown) - {(0, 0, 0), VOID_COLOUR}), file)
    # A colour that is not one of VOC's stands for itself, above all indices.
    indices = [of_colour.get(colour, code + 256) for colour, code in zip(shown, codes.tolist(), strict=True)]
    table = np.array(indices, np.uint32)
    values = converted(coded, np.uint32, lambda part: table[np.searchsorted(codes, part)])
    colours: dict[int, tuple[int, ...]] = dict(zip(indices, shown, strict=True))
    return values, colours


@cache
def palette() -> np.ndarray:
    """VOC's colours (256, 3) uint8: the bits of an index dealt out to red, green and blue in turn, highest first."""
    index = np.arange(256)[:, None]
    channels = np.arange(3)
    colours = sum(((index >> (3 * step + channels)) & 1) << (7 - step) for step in range(8))
    return np.asarray(colours, np.uint8)


def _names(path: Path) -> dict[tuple[int, ...], str]:
    """The names of classes by their colours; {} where there is no `labelmap.txt`."""
    if not path.is_file():
        return {}
    check_no_link_out(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise DatasetError(f"{path} is not readable text in UTF-8; save it as such") from None
    names: dict[tuple[int, ...], str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        # A name may hold a colon; the three fields behind it do not.
        parts = line.rsplit(":", 3)
        values = parts[1].split(",") if len(parts) == 4 else []
        if len(values) != 3 or not all(is_digits(value.strip()) and len(value) < 5 for value in values):
            raise DatasetError(f"{path}, line {number}: it is not name:red,green,blue:parts:actions; correct it")
        names[tuple(map(int, values))] = parts[0].strip()
    return names
