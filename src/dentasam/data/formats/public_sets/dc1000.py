"""DC1000: panoramics with masks of caries, for the method MLUA.

https://github.com/Zzz512/MLUA, doi 10.1016/j.neucom.2023.126208, no licence stated. PNG masks beside the images::

    DC1000_dataset/org_train_dataset/images/1.png        labels_clean/1.png  colors_clean/1.png
    DC1000_dataset/org_test_dataset/images/1008.png      labels/1008.png     colors/1008.png

`labels` are white on black: all caries of an image. Each piece, held together across corners, becomes an object
`caries`; lesions that touch are one. `colors` hold the severity as the gray values 102, 153 and 255. Which of them is
which degree is stated nowhere, so the value of a piece stays a number, `extra["severity_value"]`. There are no tooth
numbers, and an image without caries has no objects. Not read: `*_cut` (cropped to the jaws), `*_bydoctors` (before
cleaning), and the patches of 384x384 pixels in `train`.

The test images are on Kaggle, too (thunderpede/panoramic-dental-dataset): a folder with images, labels, images_cut
and labels_cut, which is read alike.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from dentasam.data.formats.files.mask_file import read_labels, read_mask, stored_size
from dentasam.data.formats.interface import Contents, ReadOptions, SourceRecord
from dentasam.data.formats.public_sets.published import PublishedSet, image_beside, mask_size_error
from dentasam.data.formats.sources.images import SourceImages
from dentasam.data.masks import rle
from dentasam.data.record import ImageRecord, ObjectRecord

DC1000 = PublishedSet(
    "DC1000",
    "https://github.com/Zzz512/MLUA",
    "the folder DC1000_dataset with org_train_dataset/images and labels_clean",
)
SPLITS = ("org_train_dataset", "org_test_dataset")
# Cleaned masks before the others.
LABELS, COLOURS = ("labels_clean", "labels"), ("colors_clean", "colors")
SEVERITIES = frozenset({102, 153, 255})


def recognises(source: Path) -> bool:
    """A folder with one of the set's splits, a split by its name, or the folders of the copy on Kaggle."""
    if any(_is_split(source / name) for name in SPLITS) or (source.name in SPLITS and _is_split(source)):
        return True
    return _is_split(source) and (source / "images_cut").is_dir() and (source / "labels_cut").is_dir()


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Lists the masks of the splits, or of one; each is read when its image is loaded."""
    splits = [source / name for name in SPLITS if _is_split(source / name)] or [source]
    records = [
        SourceRecord(mask.relative_to(source).as_posix(), partial(_load, split, mask, images, options))
        for split in splits
        for mask in _masks(split)
    ]
    if not records:
        raise DC1000.refusal(source, "it holds no masks in labels_clean or labels beside images")
    return Contents(records)


def _is_split(folder: Path) -> bool:
    return (folder / "images").is_dir() and any((folder / name).is_dir() for name in LABELS)


def _masks(split: Path) -> list[Path]:
    if not _is_split(split):
        return []
    folder = next(split / name for name in LABELS if (split / name).is_dir())
    return sorted(folder.glob("*.png"))


def _load(split: Path, mask: Path, images: SourceImages, options: ReadOptions) -> ImageRecord:
    image = image_beside(images, split / "images", mask.stem, mask)
    height, width = image.size
    size = stored_size(mask)
    if size != (height, width):
        raise mask_size_error(mask, size, image, DC1000)
    drawn, _ = read_mask(mask)
    severities = _severities(split, mask.name, (height, width), options)
    count, pieces, boxes, _ = cv2.connectedComponentsWithStats(drawn.astype(np.uint8), connectivity=8)
    objects: list[ObjectRecord] = []
    for piece in range(1, count):
        x, y, across, down = boxes[piece, :4].tolist()
        window = slice(y, y + down), slice(x, x + across)
        bits = pieces[window] == piece
        record = ObjectRecord.from_runs(0, "caries", rle.encode_box(x, y, bits, height, width), height, width)
        values = severities[window][bits] if severities is not None else np.zeros(0, np.int64)
        values = values[values > 0]
        if values.size:
            record = replace(record, extra={"severity_value": int(np.bincount(values).argmax())})
        objects.append(record)
    return ImageRecord(0, image.path, image.name, width, height, (), tuple(objects))


def _severities(split: Path, name: str, size: tuple[int, int], options: ReadOptions) -> np.ndarray | None:
    """The severity's gray values (H, W), None where there are none or others than the set's."""
    path = next((split / each / name for each in COLOURS if (split / each / name).is_file()), None)
    if path is None:
        return None
    if stored_size(path) == size:
        values = read_labels(path).astype(np.int64)
        if set(np.unique(values).tolist()) <= SEVERITIES | {0}:
            return values
    options.report(f"{path} is not of its image's size or has other values than 102, 153 and 255: passed over")
    return None
