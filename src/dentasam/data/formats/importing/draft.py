"""The unfinished part of an import, which a second call can continue.

::

    OUT/.import/journal.jsonl   a line for each image that is done, with its objects
    OUT/.import/images/         their files
    OUT/.import/source/         an unpacked archive
    OUT/.import/scratch/        image files that a format's reader made

At the end the images and the dataset file move to OUT and the folder is removed, so that OUT holds a whole dataset or
none. Memory does not grow with the number of images, since finished images are only in the journal.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from dentasam.data.coco.document import with_compressed_mask
from dentasam.data.coco.image_files import escapes
from dentasam.data.formats.files.folders import DATASET_NAME, inner_name, report_orientation_of, writing
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.errors import DatasetError, OutputError
from dentasam.output_folder import made_folder

DRAFT, JOURNAL, IMAGES = ".import", "journal.jsonl", "images"


class Draft:
    """The images of an import that are done. `done` holds their records' names (`SourceRecord.where`)."""

    def __init__(self, out: Path, import_key: str, resume: bool) -> None:
        """import_key: identifies source, format and options; only the same import is continued.

        Raises OutputError where `out` is in use or cannot be written, or holds the beginning of another import.
        """
        held = made_folder(out)
        self.out, self.folder = out, out / DRAFT
        self._key = import_key
        self._made = not held
        if held and held != [DRAFT]:
            if not (resume and DRAFT in held and set(held) <= {DRAFT, IMAGES}):
                name = next(name for name in held if name != DRAFT)
                raise OutputError(f"{out} is in use (it holds {name}); choose another folder or remove it")
        elif held and not resume:
            raise OutputError(f"{out} holds an import that was interrupted; continue it with --resume or remove it")
        self.done: set[str] = set()
        self._next_image, self._next_object = 1, 1
        self._copies: dict[str, Path] = {}
        self._file_names: dict[Path, str] = {}
        with writing(self.folder / JOURNAL):
            (self.folder / IMAGES).mkdir(parents=True, exist_ok=True)
            self.scratch.mkdir(exist_ok=True)
            self._drop_cut_line()
            self._take_up()
            self._journal = (self.folder / JOURNAL).open("a", encoding="utf-8")

    @property
    def scratch(self) -> Path:
        """The folder for image files that a reader makes."""
        return self.folder / "scratch"

    @property
    def unpacked(self) -> Path:
        """The folder for the content of an archive."""
        return self.folder / "source"

    def add(self, where: str, image: ImageRecord) -> None:
        """Copies the image's file and stores its objects. Raises DatasetError, OutputError."""
        objects = tuple(self._numbered(record, image) for record in image.objects)
        crowds = tuple(self._numbered(record, image) for record in image.crowds)
        id = image.id or self._next_image
        placed = replace(image, id=id, objects=objects, crowds=crowds, file_name=self._placed(image, id))
        with writing(self.folder / JOURNAL):
            self._journal.write(json.dumps({"where": where, **_packed(placed)}, ensure_ascii=True) + "\n")
            self._journal.flush()
        self._note(where, placed)

    def names(self) -> tuple[str, ...]:
        """The categories of all objects, in the order in which they came first."""
        found: dict[str, None] = {}
        for image in self.images():
            found.update(dict.fromkeys(record.category for record in (*image.objects, *image.crowds)))
        return tuple(found)

    def images(self) -> Iterator[ImageRecord]:
        """The images that are done, one at a time; their paths are those in the finished dataset."""
        with (self.folder / JOURNAL).open(encoding="utf-8") as file:
            next(file)  # the key
            for line in file:
                yield _unpacked(json.loads(line), self.out)

    @property
    def dataset(self) -> Path:
        """Where the dataset's file is made before it moves to its place."""
        return self.folder / DATASET_NAME

    def finish(self) -> Path:
        """Moves images and dataset to `out`, and returns the dataset's path. Raises OutputError."""
        self._journal.close()
        with writing(self.out / DATASET_NAME):
            # They are there already where an earlier call was killed between the two moves.
            if not (self.out / IMAGES).exists():
                os.replace(self.folder / IMAGES, self.out / IMAGES)
            os.replace(self.dataset, self.out / DATASET_NAME)
            shutil.rmtree(self.folder)
        return self.out / DATASET_NAME

    def close(self) -> None:
        """Ends the work on the draft, which stays for a later call."""
        self._journal.close()

    def discard(self) -> None:
        """Removes everything that this import wrote, after an error in its source."""
        self._journal.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _numbered(self, record: ObjectRecord, image: ImageRecord) -> ObjectRecord:
        numbered = replace(record, id=record.id or self._next_object)
        self._next_object = max(self._next_object, numbered.id + 1)
        return with_compressed_mask(numbered, image.height, image.width)

    def _placed(self, image: ImageRecord, id: int) -> str:
        """Copies an image file, once however many records it has, and returns its name in the dataset."""
        known = self._file_names.get(image.path)
        if known is not None:
            return known
        inner = inner_name(image)
        if escapes(inner):
            raise DatasetError(f"{image.path}: its name {inner!r:.100} leads out of the folder; rename it")
        if inner in self._copies:
            inner = f"{id}-{Path(inner).name}"
        target = self.folder / IMAGES / inner
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(image.path, target)
        report_orientation_of(image.path)
        self._copies[inner] = image.path
        self._file_names[image.path] = f"{IMAGES}/{inner}"
        return f"{IMAGES}/{inner}"

    def _note(self, where: str, image: ImageRecord) -> None:
        self.done.add(where)
        self._next_image = max(self._next_image, image.id + 1)
        ids = [record.id for record in (*image.objects, *image.crowds)]
        self._next_object = max([self._next_object, *(id + 1 for id in ids)])
        self._copies.setdefault(inner_name(image), image.path)

    def _take_up(self) -> None:
        """Reads what an interrupted import has done, or begins a journal."""
        path = self.folder / JOURNAL
        if not path.exists() or path.stat().st_size == 0:
            path.write_text(json.dumps({"import": self._key}) + "\n", encoding="utf-8")
            return
        with path.open(encoding="utf-8") as file:
            if json.loads(next(file)).get("import") != self._key:
                raise OutputError(
                    f"{self.out} holds the beginning of another import; choose another folder or remove it"
                )
            for line in file:
                content = json.loads(line)
                image = _unpacked(content, self.out)
                self._file_names[Path(content["path"])] = image.file_name
                self._note(content["where"], image)

    def _drop_cut_line(self) -> None:
        """Removes the last line of a journal where a killed import wrote only a part of it."""
        path = self.folder / JOURNAL
        if not path.exists():
            return
        with path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            kept = size
            while kept:
                start = max(0, kept - 65536)
                file.seek(start)
                found = file.read(kept - start).rfind(b"\n")
                if found >= 0:
                    kept = start + found + 1
                    break
                kept = start
            if kept < size:
                file.truncate(kept)


def _packed(image: ImageRecord) -> dict[str, Any]:
    return {
        "id": image.id,
        "path": str(image.path),
        "file_name": image.file_name,
        "size": [image.width, image.height],
        "tags": list(image.tags),
        "extra": dict(image.extra),
        "objects": [_packed_object(record) for record in image.objects],
        "crowds": [_packed_object(record) for record in image.crowds],
    }


def _packed_object(record: ObjectRecord) -> list[Any]:
    return [record.id, record.category, record.segmentation, record.bbox, record.area, dict(record.extra)]


def _unpacked(content: dict[str, Any], out: Path) -> ImageRecord:
    width, height = content["size"]
    return ImageRecord(
        content["id"],
        out / content["file_name"],
        content["file_name"],
        width,
        height,
        tuple(content["tags"]),
        tuple(_unpacked_object(item) for item in content["objects"]),
        tuple(_unpacked_object(item) for item in content["crowds"]),
        content["extra"],
    )


def _unpacked_object(item: list[Any]) -> ObjectRecord:
    id, category, segmentation, bbox, area, extra = item
    return ObjectRecord(id, category, segmentation, tuple(bbox), area, extra)
