"""What the file of a format offers, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dentasam.data.dataset import Dataset


def _ignore(*_: object) -> None:
    pass


@dataclass(frozen=True)
class ImportOptions:
    """Options of an import; the defaults are those of an import without options.

    images: the folder of a COCO file's images, where it is not one of the usual places. crowd_as_objects: take
    annotations with `iscrowd` 1 for objects. report: takes a line about what was passed over or decided.
    progress: takes the number of images done and of all.
    """

    images: Path | None = None
    crowd_as_objects: bool = False
    report: Callable[[str], None] = _ignore
    progress: Callable[[int, int], None] = _ignore


class WriteFile(Protocol):
    """Takes one file of an export: its path inside the export, with `/` between folders, and its content."""

    def __call__(self, name: str, content: bytes, /) -> None: ...


class FormatModule(Protocol):
    """The functions in the file of a format."""

    def import_dataset(self, source: Path, out: Path, options: ImportOptions) -> Path:
        """Writes `out/dataset.json` with its images under `out/images`, and returns the path of the JSON.

        out: an existing folder, empty. Raises DatasetError or ImageError for an error in the source.
        """

    def write_annotations(self, dataset: Dataset, write: WriteFile) -> tuple[str, ...]:
        """Passes everything but the images to `write`; returns a line for each kind of content that was lost.

        The names of the dataset's images, `images/…`, are relative to the folder that these files are for. Masks are
        decoded for one image at a time. Raises DatasetError for a mask that cannot be decoded.
        """
