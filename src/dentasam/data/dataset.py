"""A dataset: a COCO instances JSON whose image paths are relative to it, and whose objects may overlap."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dentasam.data.coco.document import coco_document
from dentasam.data.coco.parse import parse
from dentasam.data.coco.passed_over import PassedOverAnnotation, lines
from dentasam.data.coco.problem import Problem
from dentasam.data.coco.text import coco_text
from dentasam.data.record import Category, ImageRecord, ObjectRecord
from dentasam.errors import DatasetError, OutputError
from dentasam.files.atomic_write import write_atomically

__all__ = ["Category", "Dataset", "ImageRecord", "ObjectRecord"]


@dataclass(frozen=True)
class Dataset:
    """Images with their objects. `categories` may be left empty: writing adds those that the objects name.

    folder: what image names are relative to, where that is not the JSON's own. passed_over: annotations of the file
    that are not objects, or not complete.
    """

    path: Path
    images: tuple[ImageRecord, ...]
    categories: tuple[Category, ...] = ()
    info: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    passed_over: tuple[PassedOverAnnotation, ...] = ()

    @staticmethod
    def load(
        path: str | Path,
        images: str | Path | None = None,
        crowd_as_objects: bool = False,
        follow_links: bool = False,
    ) -> "Dataset":
        """Reads a COCO JSON. Masks are checked to fit their image, and decoded only when asked for.

        images: the folder of the images, where they are not in one of the usual places (`coco.image_files`).
        crowd_as_objects: take annotations with `iscrowd` 1, as CVAT writes masks, for objects. follow_links:
        also read image files that are links out of the dataset's folder. Raises DatasetError at the first error:
        malformed JSON, missing keys or image files, such links, unknown or repeated ids, masks of another size,
        empty objects, NaN, no mask at all. `find_problems` lists all of them.
        """
        given = Path(path)

        def stop(problem: Problem) -> None:
            raise DatasetError(problem.line(given))

        folder = None if images is None else Path(images)
        parsed = parse(Path(os.path.abspath(given)), stop, folder, crowd_as_objects, follow_links=follow_links)
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

    def document(self) -> dict[str, Any]:
        """The dataset as a COCO document with RLE masks, its images named by their `file_name`.

        Raises DatasetError for an id that repeats and a mask that cannot be decoded.
        """
        return coco_document(self.path, self.images, self.categories, self.info)

    def write(self, path: str | Path) -> Path:
        """Writes COCO with RLE masks, all or nothing, and returns the path.

        Image paths become relative to the new file's folder, so the images must lie in or below it. Raises
        DatasetError where they do not or where ids repeat, OutputError where the file cannot be written.
        """
        path = Path(path)
        folder = Path(os.path.abspath(path)).parent
        images = tuple(replace(image, file_name=_relative(image, folder, path)) for image in self.images)
        text = coco_text(path, images, self.categories, self.info)
        try:
            with write_atomically(path, durable=True) as draft, draft.open("w", encoding="utf-8") as file:
                file.writelines(text)
        except OSError as error:
            raise OutputError(f"{path} cannot be written ({error.strerror}); choose another place") from None
        return path


def _relative(image: ImageRecord, folder: Path, path: Path) -> str:
    name = os.path.relpath(image.path, folder)
    if name.split(os.sep)[0] == ".." or os.path.isabs(name):
        raise DatasetError(
            f"{path}: image {image.id} ({image.path}) lies outside the folder of the dataset; "
            "write the dataset beside its images, or export it with them"
        )
    return Path(name).as_posix()
