"""Writing COCO: a document of images, annotations with compressed RLE masks, and categories."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dentasam.data.record import Category, ImageRecord, ObjectRecord
from dentasam.errors import DatasetError

# FDI numbers, which are the ids of teeth, end at 85.
LAST_TOOTH_ID = 100
# A longer number is a name like any other: tools read ids as 32 bits.
MAX_DIGITS = 9


def coco_document(
    path: Path, images: Sequence[ImageRecord], categories: Sequence[Category] = (), info: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The COCO document of images with their objects; `ImageRecord.file_name` is each image's name in it.

    path: the file that errors name. categories: those that objects name beyond them are added. Raises DatasetError
    for an id that repeats and a mask that cannot be decoded.
    """
    check_unique(path, "image", [image.id for image in images])
    both = [(image, record, crowd) for image in images for record, crowd in annotated(image)]
    check_unique(path, "annotation", [record.id for _, record, _ in both])
    categories = with_missing_categories(categories, {record.category for _, record, _ in both})
    ids = {category.name: category.id for category in categories}
    return {
        "info": info or {},
        "licenses": [],
        "images": [image_entry(image) for image in images],
        "annotations": [
            annotation_entry(image, record, ids[record.category], crowd) for image, record, crowd in both
        ],
        "categories": [category_entry(category) for category in categories],
    }


def image_entry(image: ImageRecord) -> dict[str, Any]:
    """An image in a document's list of images."""
    return {
        "id": image.id,
        "file_name": image.file_name,
        "width": image.width,
        "height": image.height,
        "tags": list(image.tags),
        **image.extra,
    }


def category_entry(category: Category) -> dict[str, Any]:
    """A category in a document's list of categories."""
    return {"id": category.id, "name": category.name, "supercategory": category.supercategory}


def with_missing_categories(given: Sequence[Category], used: Iterable[str]) -> list[Category]:
    """The categories, and after them those that only objects name; a tooth's id is its FDI number."""
    categories = list(given)
    ids = {category.id for category in categories}
    last = max([LAST_TOOTH_ID, *ids])
    missing = set(used) - {category.name for category in categories}
    numbers = {name for name in missing if name.isascii() and name.isdigit() and len(name) <= MAX_DIGITS}
    for name in [*sorted(numbers, key=int), *sorted(missing - numbers)]:
        id = int(name) if name in numbers and int(name) not in ids else last + 1
        categories.append(Category(id, name, "tooth" if name in numbers else ""))
        ids.add(id)
        last = max(last, id)
    return categories


def annotated(image: ImageRecord) -> list[tuple[ObjectRecord, bool]]:
    """Objects and crowds, each with whether it is a crowd."""
    return [(record, False) for record in image.objects] + [(record, True) for record in image.crowds]


def annotation_entry(
    image: ImageRecord, record: ObjectRecord, category_id: int, crowd: bool = False
) -> dict[str, Any]:
    """An object in a document's list of annotations, its mask as compressed RLE."""
    coded = with_compressed_mask(record, image.height, image.width)
    return {
        "id": record.id,
        "image_id": image.id,
        "category_id": category_id,
        "segmentation": coded.segmentation,
        "area": round(coded.area),
        "bbox": list(coded.bbox),
        "iscrowd": int(crowd),
        **record.extra,
    }


def with_compressed_mask(record: ObjectRecord, height: int, width: int) -> ObjectRecord:
    """The object with its mask as compressed RLE. Raises DatasetError for a mask that cannot be decoded."""
    shape = record.segmentation
    if not isinstance(shape, list) and isinstance(shape["counts"], str):
        return record
    coded = ObjectRecord.from_runs(record.id, record.category, record.runs(height, width), height, width)
    return replace(coded, extra=record.extra)


def check_unique(path: Path, kind: str, ids: Iterable[int]) -> None:
    """Raises DatasetError for an id that repeats. kind: what the error calls the records."""
    seen: set[int] = set()
    for id in ids:
        if id in seen:
            raise DatasetError(f"{path}: {kind} id {id} is there twice; give every {kind} its own id")
        seen.add(id)
