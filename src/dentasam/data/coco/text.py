"""The text of a COCO file, piece by piece: the whole document of a large dataset takes far more memory."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from dentasam.data.coco.document import (
    annotated,
    annotation_entry,
    category_entry,
    check_unique,
    image_entry,
    with_missing_categories,
)
from dentasam.data.record import Category, ImageRecord

# What comes between the lists of images and annotations.
BETWEEN = '], "annotations": ['


def coco_text(
    path: Path, images: Sequence[ImageRecord], categories: Sequence[Category] = (), info: dict[str, Any] | None = None
) -> Iterator[str]:
    """The text of `coco_document`, as `json.dumps` writes it, a record at a time.

    Raises DatasetError as `coco_document`: for repeated ids before the first piece, for a mask that cannot be decoded
    where it comes.
    """
    check_unique(path, "image", (image.id for image in images))
    check_unique(path, "annotation", (record.id for image in images for record, _ in annotated(image)))
    used = {record.category for image in images for record, _ in annotated(image)}
    categories = with_missing_categories(categories, used)
    ids = {category.name: category.id for category in categories}
    listed = (image_entry(image) for image in images)
    objects = (
        annotation_entry(image, record, ids[record.category], crowd)
        for image in images
        for record, crowd in annotated(image)
    )
    return chain(
        (head(info),),
        _items(listed),
        (BETWEEN,),
        _items(objects),
        (tail(categories),),
    )


def head(info: Mapping[str, Any] | None) -> str:
    """What comes before the list of images."""
    return f'{{"info": {json.dumps(dict(info or {}))}, "licenses": [], "images": ['


def tail(categories: Iterable[Category]) -> str:
    """What comes after the list of annotations."""
    return f'], "categories": {json.dumps([category_entry(category) for category in categories])}}}'


def _items(items: Iterable[object]) -> Iterator[str]:
    for position, item in enumerate(items):
        yield (", " if position else "") + json.dumps(item)
