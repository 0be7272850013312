"""Adds images to a folder of images while its server runs.

An uploaded file is kept in the workspace until it has passed the checks that the folder's files passed at the start.
Then it is linked into the folder under its name in one step, which never replaces a file.
"""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

from dentasam.data.images.kind import IMAGE_SUFFIXES
from dentasam.data.images.read import read_image
from dentasam.data.links import Bounds
from dentasam.errors import DentasamError, ImageError
from dentasam.files.atomic_write import draft_of, remove_stale_drafts
from dentasam.labelling.log.cases import Case
from dentasam.labelling.log.database.failures import is_disk_full
from dentasam.labelling.log.store import Store
from dentasam.labelling.log.worklist import Worklist
from dentasam.labelling.workspace.file_hashes import FileHashes
from dentasam.labelling.workspace.workspace import CaseImage, Workspace, list_images
from dentasam.visible_text import JOINERS, without_unseen

UPLOAD_FOLDER = "arriving"
NOT_AN_IMAGE: Final = " is not a PNG, JPEG, TIFF or DICOM file; convert it to one"
MAX_NAME_BYTES: Final = 200  # file systems allow 255, and names of exported masks are a little longer


class ImageRefused(DentasamError):
    """An image is not added; `status` is the HTTP status of the answer."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class ImageAdder:
    """Adds images to one open workspace. Threads may share it; one image is checked at a time."""

    def __init__(
        self, workspace: Workspace, store: Store, worklist: Worklist, on_change: Callable[[], None] = lambda: None
    ) -> None:
        """on_change: called after the worklist got an image."""
        self._workspace, self._store, self._worklist, self._on_change = workspace, store, worklist, on_change
        self._uploads = workspace.root / UPLOAD_FOLDER
        self._one_at_a_time = threading.Lock()
        # Uploads that a killed server left behind; no other server uses the workspace.
        shutil.rmtree(self._uploads, ignore_errors=True)
        if workspace.dataset is None:
            remove_stale_drafts(workspace.folder)

    @property
    def obstacle(self) -> str | None:
        """Why no image can be added here, None if one can."""
        if self._workspace.dataset is not None:
            return "these images come from a COCO file: add the image to that file and start dentasam label again"
        if not os.access(self._workspace.folder, os.W_OK | os.X_OK):
            return "the image folder is read-only for the server: put the image there and start dentasam label again"
        return None

    def check(self, name: str) -> None:
        """Checks, before the upload, whether an image of this name can be added. Raises ImageRefused."""
        obstacle = self.obstacle
        if obstacle is not None:
            raise ImageRefused(obstacle, 409)
        if not _is_plain(name):
            raise ImageRefused(f"{name!r} is not a file name of plain text; rename the file", 422)
        if len(name.encode()) > MAX_NAME_BYTES:
            raise ImageRefused(f"the file name has more than {MAX_NAME_BYTES} bytes; rename the file", 422)
        suffix = PurePosixPath(name).suffix.lower()
        # The names of DICOM files often end in a number of their UID, so their content decides.
        if suffix and suffix not in IMAGE_SUFFIXES and not suffix[1:].isdigit():
            raise ImageRefused(f"{name}{NOT_AN_IMAGE}", 415)

    @contextmanager
    def upload_path(self, name: str) -> Iterator[Path]:
        """A path for an upload, named `name` in a folder of its own, which is deleted at the end. Raises OSError."""
        folder = self._uploads / secrets.token_hex(8)
        folder.mkdir(mode=0o700, parents=True)
        try:
            yield folder / name
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def add(self, draft: Path) -> tuple[Case, bool]:
        """Adds an uploaded image; returns its case and whether it is new. Raises ImageRefused.

        An image that is in the folder under this name already, byte for byte, is not added again.
        """
        with self._one_at_a_time:
            self.check(draft.name)
            image = _read_upload(draft)
            existing = self._file_of_same_name(draft.name)
            target = existing or self._workspace.folder / draft.name
            placed = existing is None and self._place(draft, target)
            if not placed and not _same_content(draft, target):
                raise ImageRefused(
                    f"another image is there under the name {target.name}; rename the file and add it again", 409
                )
            added = CaseImage(target.name, target, image.width, image.height, image.bits)
            return self._add_to_worklist(added, placed), placed

    def _add_to_worklist(self, image: CaseImage, placed: bool) -> Case:
        workspace = self._workspace
        if image.name not in {known.name for known in workspace.images}:
            images = sorted([*workspace.images, image], key=lambda known: known.name)
            problems = [
                line for line in self._store.sync_cases(images) if line.startswith(f"{image.name} is left out")
            ]
            if problems:
                if placed:
                    image.path.unlink(missing_ok=True)
                raise ImageRefused(problems[0].replace("is left out", "is not added"), 409)
            workspace.images = images
        cases = self._store.cases()
        case = next(case for case in cases if case.name == image.name)
        if case.id not in self._worklist:
            self._worklist.replace(cases, workspace.images)
            self._on_change()
        return case

    def _file_of_same_name(self, name: str) -> Path | None:
        """The file of the folder whose name looks the same: upper or lower case and Unicode form do not count."""
        wanted = _comparable(name)
        with os.scandir(self._workspace.folder) as entries:
            return next((Path(entry.path) for entry in entries if _comparable(entry.name) == wanted), None)

    def _place(self, draft: Path, target: Path) -> bool:
        """Puts a file into the folder in one step; False if the name has been taken meanwhile."""
        try:
            try:
                os.link(draft, target)
            except FileExistsError:
                return False
            except OSError:
                # The workspace is on another disk, or the file system does not have links.
                with draft_of(target) as aside:
                    shutil.copyfile(draft, aside)
                    return _move_without_replacing(aside, target)
            return True
        except OSError as error:
            raise _not_written(error) from None


def _move_without_replacing(aside: Path, target: Path) -> bool:
    """Moves a file within a folder; False if there is a file of that name already."""
    try:
        os.link(aside, target)
    except FileExistsError:
        return False
    except OSError:
        # Without links, an empty file takes the name first, which fails if the name is taken.
        try:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        except FileExistsError:
            return False
        os.replace(aside, target)
    return True


def _not_written(error: OSError) -> ImageRefused:
    if is_disk_full(error):
        return ImageRefused("the disk is full; nothing was added, make room", 507)
    return ImageRefused(f"the image folder cannot be written ({error.strerror}); check its permissions", 409)


def _read_upload(draft: Path) -> CaseImage:
    """The image as the worklist would hold it. Raises ImageRefused."""
    problems: list[str] = []
    found = list_images(draft.parent, problems)
    try:
        if not found:
            shown = problems[0] if problems else f"{draft.name}{NOT_AN_IMAGE}"
            raise ImageRefused(_with_short_name(draft, shown).replace(" is left out: ", ": "), 422)
        # `list_images` reads the header only; of a single image all pixels are checked.
        read_image(draft)
    except ImageError as error:
        raise ImageRefused(_with_short_name(draft, str(error)), 422) from None
    return found[0]


def _with_short_name(draft: Path, message: str) -> str:
    message = message.replace(str(draft), draft.name)
    return message.replace(f"{draft.name}: {draft.name} ", f"{draft.name} ")


def _same_content(draft: Path, target: Path) -> bool:
    # What a link out of the folder leads to is not in the folder.
    if Bounds(target.parent).leads_out(target):
        return False
    try:
        return target.is_file() and FileHashes().of(draft) == FileHashes().of(target)
    except OSError:
        return False


def _is_plain(name: str) -> bool:
    """Whether a name is a file name without a folder on every system, and readable."""
    if not name or name[0] == "." or name[-1] in ". " or name != name.strip():
        return False
    if PurePosixPath(name).name != name or PureWindowsPath(name).name != name or ":" in name:
        return False
    # U+FFFD stands for bytes that were not text.
    return without_unseen(name) == name and not any(_is_unknown(letter) for letter in name)


def _is_unknown(letter: str) -> bool:
    return letter == "\ufffd" or (unicodedata.category(letter)[0] == "C" and letter not in JOINERS)


def _comparable(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
