"""A dataset: a COCO instances JSON whose image paths are relative to it, and whose objects may overlap."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dentasam.data.coco.parse import parse
from dentasam.data.coco.passed_over import PassedOver, lines
from dentasam.data.coco.problem import Problem
from dentasam.data.record import Category, ImageRecord, ObjectRecord
from dentasam.errors import DatasetError, OutputError

__all__ = ["Category", "Dataset", "ImageRecord", "ObjectRecord"]


@dataclass(frozen=True)
class Dataset:
    """Images with their objects. `categories` may be left empty: writing adds those that the objects name.

    folder: what image names are relative to, where that is not the JSON's own. passed_over: annotations of the file
    that are no objects, or not whole.
    """

    path: Path
    images: tuple[ImageRecord, ...]
    categories: tuple[Category, ...] = ()
    info: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    passed_over: tuple[PassedOver, ...] = ()

    @staticmethod
    def load(path: str | Path, images: str | Path | None = None, crowd_as_objects: bool = False) -> "Dataset":
        """Reads a COCO JSON. Masks are checked to fit their image, and decoded only when asked for.

        images: the folder of the images, where they are in none of the usual places (`coco.image_files`).
        crowd_as_objects: take annotations with `iscrowd` 1, as CVAT writes masks, for objects. Raises DatasetError at
        the first fault: malformed JSON, missing keys or image files, unknown or repeated ids, masks of another size,
        empty objects, NaN, no mask at all. `find_problems` lists all of them.
        """
        given = Path(path)

        def stop(problem: Problem) -> None:
            raise DatasetError(problem.line(given))

        folder = None if images is None else Path(images)
        parsed = parse(Path(os.path.abspath(given)), stop, folder, crowd_as_objects)
        return Dataset(given, parsed.images, parsed.categories, parsed.info or {}, parsed.folder, parsed.passed_over)

    @property
    def image_folder(self) -> Path:
        """The absolute folder that image names are relative to."""
        return self.folder or Path(os.path.abspath(self.path)).parent

    @property
    def notes(self) -> list[str]:
        """What was passed over when the file was read, a line for each reason."""
        return lines(self.passed_over)

    @property
    def objects(self) -> int:
        """Number of objects in all images."""
        return sum(len(image.objects) for image in self.images)

    def subset(self, ids: Iterable[int]) -> "Dataset":
        """The images with these ids, in the dataset's order. Raises DatasetError for an unknown id."""
        wanted = set(ids)
        images = tuple(image for image in self.images if image.id in wanted)
        unknown = wanted - {image.id for image in images}
        if unknown:
            raise DatasetError(f"{self.path}: no image has the id {min(unknown)}; name ids of this dataset")
        return replace(self, images=images)

    def write(self, path: str | Path) -> Path:
        """Writes COCO with RLE masks, all or nothing, and returns the path.

        Image paths become relative to the new file's folder, so the images must lie in or below it. Raises
        DatasetError where they do not or where ids repeat, OutputError where the file cannot be written.
        """
        path = Path(path)
        _check_unique(path, "image", [image.id for image in self.images])
        both = [(image, record, crowd) for image in self.images for record, crowd in _annotated(image)]
        _check_unique(path, "annotation", [record.id for _, record, _ in both])
        categories = self._all_categories()
        ids = {category.name: category.id for category in categories}
        folder = Path(os.path.abspath(path)).parent
        content = {
            "info": self.info,
            "licenses": [],
            "images": [
                {
                    "id": image.id,
                    "file_name": _relative(image, folder, path),
                    "width": image.width,
                    "height": image.height,
                    "tags": list(image.tags),
                }
                for image in self.images
            ],
            "annotations": [_annotation(image, record, ids[record.category], crowd) for image, record, crowd in both],
            "categories": [
                {"id": category.id, "name": category.name, "supercategory": category.supercategory}
                for category in categories
            ],
        }
        _replace_file(path, json.dumps(content))
        return path

    def _all_categories(self) -> list[Category]:
        """The categories, and after them those that objects name beyond; a tooth's id is its FDI number."""
        categories = list(self.categories)
        names = {category.name for category in categories}
        ids = {category.id for category in categories}
        used = {record.category for image in self.images for record, _ in _annotated(image)} - names
        numbered = sorted((name for name in used if name.isascii() and name.isdigit()), key=int)
        for name in [*numbered, *sorted(used - set(numbered))]:
            id = int(name) if name in numbered and int(name) not in ids else max([100, *ids]) + 1
            categories.append(Category(id, name, "tooth" if name in numbered else ""))
            ids.add(id)
        return categories


def _annotated(image: ImageRecord) -> list[tuple[ObjectRecord, bool]]:
    """Objects and crowds, each with whether it is a crowd."""
    return [(record, False) for record in image.objects] + [(record, True) for record in image.crowds]


def _annotation(image: ImageRecord, record: ObjectRecord, category_id: int, crowd: bool) -> dict[str, Any]:
    shape = record.segmentation
    if isinstance(shape, list) or not isinstance(shape["counts"], str):
        runs = record.runs(image.height, image.width)
        record = ObjectRecord.from_runs(record.id, record.category, runs, image.height, image.width)
    return {
        "id": record.id,
        "image_id": image.id,
        "category_id": category_id,
        "segmentation": record.segmentation,
        "area": round(record.area),
        "bbox": list(record.bbox),
        "iscrowd": int(crowd),
    }


def _check_unique(path: Path, kind: str, ids: list[int]) -> None:
    seen: set[int] = set()
    for id in ids:
        if id in seen:
            raise DatasetError(f"{path}: {kind} id {id} is there twice; give every {kind} its own id")
        seen.add(id)


def _relative(image: ImageRecord, folder: Path, path: Path) -> str:
    name = os.path.relpath(image.path, folder)
    if name.split(os.sep)[0] == ".." or os.path.isabs(name):
        raise DatasetError(
            f"{path}: image {image.id} ({image.path}) lies outside the folder of the dataset; "
            "write the dataset beside its images, or export it with them"
        )
    return Path(name).as_posix()


def _replace_file(path: Path, text: str) -> None:
    """Writes beside the target, then renames: a killed writer leaves the old file whole."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as fault:
        draft.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written ({fault.strerror}); choose another place") from None
