"""The list of dataset formats that every command uses, and the functions that read and write them by name.

To add a format:

1. Write `formats/NAME.py` (`-` in the name becomes `_`) with the two functions of `interface.FormatModule`. What
   formats share (copied images, tags, names of mask files) is in `folders.py`.
2. Add the name to `Format` and one sentence about it to `SUMMARIES`. `dentasam data import`, `data export`,
   `data formats` and `predict --format` offer it from then on.
3. Test it in `tests/data/formats/`, and describe it in `docs/data.md`.

This file imports nothing that takes time to load, because the command's start-up imports it.
"""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dentasam.data.formats.interface import FormatModule, ImportOptions, WriteFile
from dentasam.errors import DatasetError
from dentasam.output_folder import claim_folder

if TYPE_CHECKING:
    from dentasam.data.dataset import Dataset

DEFAULT = ImportOptions()


class Format(StrEnum):
    """The formats by the names that commands take."""

    coco = "coco"
    png = "png"
    labels = "labels"


SUMMARIES = {
    Format.coco: "a COCO instances JSON (polygons or RLE) and its images",
    Format.png: "a folder with images/ and, for each object, a black and white PNG under masks/",
    Format.labels: "a folder with images/ and, for each image, a label image under labels/",
}


def import_dataset(name: str, source: str | Path, out: str | Path, options: ImportOptions = DEFAULT) -> Path:
    """Converts `source`, of the format `name`, to a COCO dataset in the folder `out`; returns the JSON's path.

    Raises DatasetError for an unknown format, DatasetError or ImageError for an error in the source, OutputError
    where `out` is in use or cannot be written.
    """
    module = _module(name)
    if name != Format.coco and (options.images is not None or options.crowd_as_objects):
        raise DatasetError(
            f"{source}: an image folder and crowds as objects can be given only for the format coco; the format "
            f"{name} has its images in its own folder 'images'"
        )
    return module.import_dataset(Path(source), claim_folder(Path(out)), options)


def export_dataset(name: str, dataset: Dataset, out: str | Path) -> tuple[str, ...]:
    """Writes `dataset` with a copy of its images under the folder `out`; returns what was lost, a line each.

    Raises DatasetError or ImageError for an error in the dataset, OutputError as `import_dataset`.
    """
    from dentasam.data.formats.folders import folder_writer, with_images_under

    module, out = _module(name), claim_folder(Path(out))
    return module.write_annotations(with_images_under(dataset, out), folder_writer(out))


def write_annotations(name: str, dataset: Dataset, write: WriteFile) -> tuple[str, ...]:
    """Passes the annotation files of an export to `write`, without the images: for example into a ZIP.

    The images belong under `images/` beside these files. The masks may be in memory only, since no image file is
    opened: `Dataset(path, images)` of an `ImageRecord` for each image, with an `ObjectRecord.from_mask` for each
    object. Returns what was lost, a line each. Raises DatasetError for an unknown format and for a mask that cannot
    be decoded.
    """
    from dentasam.data.formats.folders import named_under_images

    return _module(name).write_annotations(named_under_images(dataset), write)


def _module(name: str) -> FormatModule:
    if name not in list(Format):
        raise DatasetError(f"{name} is not a known format; choose one of {', '.join(Format)}")
    return cast(FormatModule, import_module(f"dentasam.data.formats.{name.replace('-', '_')}"))
