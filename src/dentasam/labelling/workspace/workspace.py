"""A workspace: the images to label, and the folder with their labels, label schema and embeddings.

For a folder of images this folder is `.dentasam/` inside it, for a COCO file `NAME.dentasam/` beside it. A locked
file ensures that one server at a time uses it.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from uuid import UUID, uuid4

from dentasam.data.coco.image_files import own_folders
from dentasam.data.dataset import Dataset
from dentasam.data.images.listing import WORKSPACE_SUFFIX, LeftOut, images_in
from dentasam.data.images.orientation import wrong_size
from dentasam.data.images.read import read_header
from dentasam.data.links import Bounds
from dentasam.documents.text import read_text
from dentasam.errors import DentasamError, WorkspaceError
from dentasam.files.atomic_write import remove_stale_drafts
from dentasam.labelling.workspace.file_lock import WorkspaceLock
from dentasam.labelling.workspace.label_schema import LabelSchema
from dentasam.labelling.workspace.own_folder import make_own_folder
from dentasam.labelling.workspace.settings import WorkspaceSettings

ID_FILE = "id"
MAX_ID_BYTES = 100


@dataclass(frozen=True, slots=True)
class CaseImage:
    """An image of the worklist.

    name: its path relative to the image folder, with `/` between folders. width, height: pixels. bits: 8 or 16.
    """

    name: str
    path: Path
    width: int
    height: int
    bits: int


@dataclass
class Workspace:
    """An open workspace; `close` (or leaving the `with` block) releases its lock.

    id: chosen when the workspace is made, and written when its database is first opened. root: the workspace's own
    folder. folder: the folder that image names are relative to. dataset: the content of the COCO file, None for a
    folder of images. problems: a line for each reason why images were left out, and for annotations of the COCO file
    that are not objects. settings: what the page can change beside the labels. bounds: where the images must really
    lie, also those that are replaced later; None where links are followed.
    """

    id: str
    root: Path
    folder: Path
    images: list[CaseImage]
    schema: LabelSchema
    dataset: Dataset | None = None
    problems: list[str] = field(default_factory=list)
    _lock: WorkspaceLock | None = None
    settings: WorkspaceSettings = field(default_factory=WorkspaceSettings)
    bounds: Bounds | None = None

    @staticmethod
    def open(
        source: str | Path,
        folder: str | Path | None = None,
        images: str | Path | None = None,
        follow_links: bool = False,
    ) -> "Workspace":
        """Opens the workspace of a folder of images or of a COCO file; makes it if there is none.

        folder: the workspace's own folder, if it is not at its usual place. images: the folder of a COCO file's
        images, if it is not one of the usual places. follow_links: also show images that are links out of the folder
        or the dataset. Raises WorkspaceError if there are no images, if the workspace cannot be written or holds a
        link, and if another server uses it; DatasetError for an error in the COCO file.
        """
        source = Path(os.path.abspath(source))
        if not source.exists():
            raise WorkspaceError(f"{source} does not exist; name a folder of images or a COCO JSON")
        root = Path(os.path.abspath(folder)) if folder is not None else _default_root(source)
        # Checked before anything is made, so that nothing is written into a mistyped folder.
        if images is not None and source.is_dir():
            raise WorkspaceError(f"{source} is a folder of images itself; --images is for the images of a COCO JSON")
        dataset = None if source.is_dir() else Dataset.load(source, images, follow_links=follow_links)
        images_in = source if dataset is None else dataset.image_folder
        problems: list[str] = []
        if dataset is None:
            cases = list_images(source, problems, root, follow_links)
        else:
            cases = _dataset_images(dataset, problems)
        if not cases:
            reason = f": {problems[0]}" if problems else ""
            raise WorkspaceError(f"{source} holds no readable PNG, JPEG, TIFF or DICOM image{reason}")
        if dataset is not None:
            problems += [f"{source}: {note}" for note in dataset.notes]
        make_own_folder(root, named=folder is not None)
        lock = WorkspaceLock(root)
        try:
            # Those that killed servers left.
            remove_stale_drafts(root)
            schema, settings = _open_schema(root), WorkspaceSettings.of(root)
            bounds = None
            if not follow_links:
                named = None if images is None else Path(images)
                bounds = Bounds(*([source] if dataset is None else own_folders(source, named)))
            found = cases, schema, dataset, problems
            return Workspace(_read_id(root), root, images_in, *found, lock, settings, bounds)
        except BaseException:
            lock.release()
            raise

    @property
    def embeddings(self) -> Path:
        """The folder with the embeddings of the images."""
        return self.root / "embeddings"

    @property
    def database_url(self) -> str:
        """The URL of the database that is used unless another is named: an SQLite file in the workspace."""
        return f"sqlite:///{self.root / 'labels.sqlite3'}"

    def set_schema(self, schema: LabelSchema) -> None:
        """Writes and uses another schema. Raises WorkspaceError if it cannot be written."""
        schema.save(self.root / "schema.yaml")
        self.schema = schema

    def set_settings(self, settings: WorkspaceSettings) -> None:
        """Writes and uses other settings. Raises WorkspaceError if they cannot be written."""
        settings.save(self.root)
        self.settings = settings

    def serve_at(self, address: str) -> None:
        """Writes the server's address where other processes that want to open the workspace find it."""
        assert self._lock is not None
        self._lock.write_address(address)

    def close(self) -> None:
        """Lets another server open the workspace."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> "Workspace":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def list_images(
    folder: Path, problems: list[str], root: Path | None = None, follow_links: bool = False
) -> list[CaseImage]:
    """The images of a folder and its sub-folders, sorted by name, without those in `root`.

    follow_links: with those that are links out of the folder. A line for each reason why images are left out is
    added to `problems`.
    """
    left_out = LeftOut()
    found = ((name, path, None) for name, path in images_in(folder, left_out, root, follow_links))
    images = sorted(_readable(found, left_out), key=lambda image: image.name)
    problems += left_out.lines()
    return images


def _default_root(source: Path) -> Path:
    return source / WORKSPACE_SUFFIX if source.is_dir() else source.with_name(source.stem + WORKSPACE_SUFFIX)


def _dataset_images(dataset: Dataset, problems: list[str]) -> list[CaseImage]:
    left_out = LeftOut()
    found = ((case_name(image.file_name), image.path, (image.height, image.width)) for image in dataset.images)
    images = sorted(_readable(found, left_out), key=lambda image: image.name)
    problems += left_out.lines()
    return images


def case_name(file_name: str) -> str:
    """The name of the case for an image's `file_name` in a COCO file."""
    return os.path.normpath(file_name.replace("\\", "/")).replace(os.sep, "/")


def _readable(found: Iterator[tuple[str, Path, tuple[int, int] | None]], left_out: LeftOut) -> Iterator[CaseImage]:
    seen: set[str] = set()
    for name, path, expected in found:
        shown = name.encode("utf-8", "backslashreplace").decode()
        if shown != name or any(ord(character) < 32 for character in name):
            left_out.add(repr(shown), "its name is not plain text; rename it")
            continue
        if name in seen:
            left_out.add(name, "the dataset names it twice; give each file one image entry")
            continue
        seen.add(name)
        try:
            header = read_header(path)
        except DentasamError as error:
            left_out.add(name, str(error))
            continue
        stored = header.height, header.width
        if expected is not None and expected != stored:
            what, fix = wrong_size("it", stored, expected, header.orientation)
            left_out.add(name, f"{what}; {fix}")
            continue
        yield CaseImage(name, path, header.width, header.height, header.bits)


def _open_schema(root: Path) -> LabelSchema:
    path = root / "schema.yaml"
    if path.exists():
        return LabelSchema.load(path)
    schema = LabelSchema.default()
    schema.save(path)
    return schema


def _read_id(root: Path) -> str:
    """The workspace's id, or a new one if it has none. Raises WorkspaceError if the file does not hold an id."""
    path = root / ID_FILE
    try:
        return str(UUID(read_text(path, MAX_ID_BYTES).encode("ascii").decode().strip()))
    except FileNotFoundError:
        return str(uuid4())
    except (OSError, ValueError):
        raise WorkspaceError(f"{path} does not hold the id of a workspace; delete it and start again") from None
