"""The unfinished part of an import, which a second call can continue.

::

    OUT/.import/lock            held by the import that runs
    OUT/.import/journal.jsonl   a line for each image that is done, with its objects
    OUT/.import/images/         their files
    OUT/.import/source/         an unpacked archive
    OUT/.import/scratch/        image files that a format's reader made

At the end the images and the dataset file move to OUT and the folder is removed, so that OUT holds a whole dataset or
none. Memory does not grow with the number of images, since finished images are only in the journal.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from dentasam.data.coco.document import with_compressed_mask
from dentasam.data.coco.image_files import escapes
from dentasam.data.formats.files.folders import DATASET_NAME, IMAGES, inner_name, report_orientation_of, writing
from dentasam.data.formats.files.free_names import FreeNames
from dentasam.data.formats.importing.journal import Journal, key_of
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.errors import DatasetError, OutputError
from dentasam.files.atomic_write import NO_FOLLOW
from dentasam.files.locked_file import close_locked, try_lock
from dentasam.files.output_folder import MadeFolders, check_no_links, made_folder
from dentasam.files.regular_file import opened_regular
from dentasam.files.whole_file import copy_whole

DRAFT, JOURNAL, LOCK = ".import", "journal.jsonl", "lock"
OTHER_FOLDER = "choose another folder or remove it"


class Draft:
    """The images of an import that are done.

    done: their records' names (`SourceRecord.where`). is_finished: an earlier call was killed when the dataset was in
    its place already, and only `clear` is left to do.
    """

    def __init__(
        self, out: Path, import_key: str, resume: bool, report: Callable[[str], None] = lambda line: None
    ) -> None:
        """import_key: identifies source, format and options; only the same import is continued.

        report: takes a line where a part of the journal is damaged. Raises OutputError where `out` is in use or
        cannot be written, holds the beginning of another import, or another process imports into it.
        """
        self._made = MadeFolders(out)
        held = made_folder(out)
        self.out, self.folder = out, out / DRAFT
        if held and DRAFT not in held:
            raise _in_use(out, held, resume)
        check_no_links(out)
        self.done: set[str] = set()
        self._next_image, self._next_object = 1, 1
        self._names = FreeNames()
        self._file_names: dict[Path, str] = {}
        self._journal: Journal | None = None
        with writing(self.folder / LOCK):
            lock, is_new = _locked(self.folder)
        self._lock: int | None = lock
        try:
            with writing(self.folder / JOURNAL):
                self.is_finished = self._check_held(import_key, resume, is_new)
                if not self.is_finished:
                    self._begin(import_key, report)
        except BaseException:
            self.close()
            if is_new:
                shutil.rmtree(self.folder, ignore_errors=True)
                self._made.remove()
            raise

    def _check_held(self, import_key: str, resume: bool, is_new: bool) -> bool:
        """Whether `out` holds the finished dataset of this import. Raises OutputError as the class."""
        held = sorted(path.name for path in self.out.iterdir() if path.name != DRAFT)
        key = key_of(self.folder / JOURNAL)
        is_finished = DATASET_NAME in held and not is_new
        # The journal is what is removed last.
        if not set(held) <= {IMAGES, DATASET_NAME} or (held and key is None and not is_finished):
            raise _in_use(self.out, held, resume=False)
        self._images_are_out = IMAGES in held
        if (key is not None or is_finished) and not resume:
            raise OutputError(
                f"{self.out} holds an import that was interrupted; continue it with --resume or remove it"
            )
        if key not in (None, import_key):
            raise OutputError(
                f"{self.out} holds the beginning of another import, or its source has changed; {OTHER_FOLDER}"
            )
        return is_finished

    def _begin(self, import_key: str, report: Callable[[str], None]) -> None:
        if key_of(self.folder / JOURNAL) is None:
            _empty(self.folder, LOCK)
        self._journal = Journal(self.folder / JOURNAL, self.out, import_key)
        (self.folder / IMAGES).mkdir(exist_ok=True)
        self.scratch.mkdir(exist_ok=True)
        for where, source, image in self._journal.whole_entries(report):
            self._file_names[source] = image.file_name
            self._names.take(inner_name(image))
            self._note(where, image)

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
            self._written.add(where, image.path, placed)
        self._note(where, placed)

    def names(self) -> tuple[str, ...]:
        """The categories of all objects, in the order in which they came first."""
        found: dict[str, None] = {}
        for image in self.images():
            found.update(dict.fromkeys(record.category for record in (*image.objects, *image.crowds)))
        return tuple(found)

    def images(self) -> Iterator[ImageRecord]:
        """The images that are done, one at a time; their paths are those in the finished dataset."""
        for entry in self._written.entries():
            yield entry.image

    @property
    def dataset(self) -> Path:
        """Where the dataset's file is made before it moves to its place."""
        return self.folder / DATASET_NAME

    def finish(self) -> Path:
        """Moves images and dataset to `out`, and returns the dataset's path. Raises OutputError."""
        self._written.close()
        with writing(self.out / DATASET_NAME):
            self._move_images()
            os.replace(self.dataset, self.out / DATASET_NAME)
        return self.clear()

    def clear(self) -> Path:
        """Removes what is left of the import beside the finished dataset, whose path it returns.

        Raises OutputError.
        """
        with writing(self.folder):
            # The journal goes last: it tells whose dataset this is.
            _empty(self.folder, JOURNAL, LOCK)
            self.close()
            shutil.rmtree(self.folder)
        return self.out / DATASET_NAME

    def close(self) -> None:
        """Ends the work on the draft, which stays for a later call."""
        if self._journal is not None:
            self._journal.close()
        if self._lock is not None:
            close_locked(self._lock)
            self._lock = None

    def discard(self) -> None:
        """Removes everything that this import wrote, after an error in its source."""
        if self._images_are_out:
            shutil.rmtree(self.out / IMAGES, ignore_errors=True)
        self._written.close()
        _empty(self.folder, LOCK)
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._made.remove()

    @property
    def _written(self) -> Journal:
        assert self._journal is not None, "a finished import has no journal"
        return self._journal

    def _move_images(self) -> None:
        """Moves the images to `out`, one by one where an earlier call was killed after it had moved its own."""
        if not (self.out / IMAGES).exists():
            os.replace(self.folder / IMAGES, self.out / IMAGES)
            return
        for path in [path for path in (self.folder / IMAGES).rglob("*") if path.is_file()]:
            target = self.out / IMAGES / path.relative_to(self.folder / IMAGES)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)

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
        inner = self._names.free(inner, id)
        target = self.folder / IMAGES / inner
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            copy_whole(image.path, target)
        report_orientation_of(image.path)
        self._file_names[image.path] = f"{IMAGES}/{inner}"
        return f"{IMAGES}/{inner}"

    def _note(self, where: str, image: ImageRecord) -> None:
        self.done.add(where)
        self._next_image = max(self._next_image, image.id + 1)
        ids = [record.id for record in (*image.objects, *image.crowds)]
        self._next_object = max([self._next_object, *(id + 1 for id in ids)])


def _in_use(out: Path, held: list[str], resume: bool) -> OutputError:
    if resume and set(held) == {DATASET_NAME, IMAGES}:
        return OutputError(f"{out} holds a finished dataset, so nothing is left to resume; use it, or {OTHER_FOLDER}")
    return OutputError(f"{out} is in use (it holds {held[0]}); {OTHER_FOLDER}")


def _locked(folder: Path) -> tuple[int, bool]:
    """Locks the folder of a draft and returns the open lock, and whether the folder was made for it.

    Raises OutputError where another process has locked it, and OSError.
    """
    while True:
        is_new = not folder.exists()
        folder.mkdir(exist_ok=True)
        try:
            lock = opened_regular(folder / LOCK, os.O_RDWR | os.O_CREAT | NO_FOLLOW, 0o600)
        except FileNotFoundError:
            continue  # an import that ended has removed the folder
        if not try_lock(lock):
            os.close(lock)
            raise OutputError(f"another import into {folder.parent} is running; wait until it ends")
        try:
            if os.path.samestat(os.fstat(lock), (folder / LOCK).stat()):
                return lock, is_new
        except FileNotFoundError:
            pass
        close_locked(lock)


def _empty(folder: Path, *kept: str) -> None:
    for inner in folder.iterdir():
        if inner.name in kept:
            continue
        if inner.is_dir() and not inner.is_symlink():
            shutil.rmtree(inner)
        else:
            inner.unlink()
