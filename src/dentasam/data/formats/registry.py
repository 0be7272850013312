"""Reading and writing dataset formats by name; every command and the page use these functions.

To add a format:

1. Write `formats/NAME.py` (`-` in the name becomes `_`) with the functions of `interface.ReadingModule`,
   `interface.WritingModule` or both; a public set goes to `formats/public_sets/NAME.py`. What formats share is in
   `files/` (folders of images, mask files) and `sources/` (finding images), what one tool codes in a way of its own
   in `codecs/`; polygons are in `data/masks/outlines.py`.
2. Add the name to `Format` and a line about it to `FORMATS`, both in `catalogue.py`. All commands and the page offer
   it from then on.
3. Test it in `tests/data/formats/`, and describe it in `docs/formats.md`.

This file imports nothing that takes time to load, because the command's start-up imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

from dentasam.data.formats.catalogue import FORMATS, Format
from dentasam.data.formats.interface import FormatInfo, ImportOptions, ReadingModule, WriteFile, WritingModule
from dentasam.errors import DatasetError
from dentasam.files.output_folder import all_or_nothing

if TYPE_CHECKING:
    from dentasam.data.dataset import Dataset
    from dentasam.data.teeth.numbering import Numbering

DEFAULT = ImportOptions()
PUBLIC_SETS = "public_sets"
UNRECOGNISED = "no dataset format is recognised; give --format (see dentasam data formats)"
# A package of each extra, by which it is known to be installed.
EXTRA_PACKAGES = {"dicom": "highdicom", "nifti": "nibabel"}


def readable() -> list[Format]:
    """The formats that can be imported."""
    return [name for name, info in FORMATS.items() if info.reads]


def writable() -> list[Format]:
    """The formats that can be exported."""
    return [name for name, info in FORMATS.items() if info.writes]


def missing_extra(info: FormatInfo) -> str | None:
    """How to install what a format needs, where it is not there; else None."""
    if not info.extra or find_spec(EXTRA_PACKAGES[info.extra]) is not None:
        return None
    return f"pip install 'dentasam[{info.extra}]'"


def choose(name: str | None, places: Sequence[Path]) -> tuple[Format, Path]:
    """The format of a source, and where it begins among some places, by a glance.

    name: of the format, None to recognise it; coco, whose messages explain more, where none fits a JSON. Public sets
    come first: each takes its own layout alone, which general formats may take for theirs. Raises DatasetError where
    no format is recognised.
    """
    offered = sorted(readable(), key=lambda each: not FORMATS[each].public_set) if name is None else [Format(name)]
    for place in places:
        for format in offered:
            if reading_module(format).recognises(place):
                return format, place
    from dentasam.data.formats.coco import is_or_holds_json

    _check_is_there(places[-1])
    if name is None and not is_or_holds_json(places[-1]):
        raise DatasetError(f"{places[-1]}: {UNRECOGNISED}")
    return Format(name or Format.coco), places[-1]


def _check_is_there(place: Path) -> None:
    """Raises DatasetError for a place that is neither a file nor a folder."""
    if not place.exists():
        raise DatasetError(f"{place} does not exist; check the path")
    if not place.is_file() and not place.is_dir():
        raise DatasetError(f"{place} is not a regular file but a pipe, a socket or a device; give a file or a folder")


def _also_recognised(chosen: Format, place: Path) -> list[Format]:
    """Further formats that a folder looks like, as where two tools have written into it."""
    if FORMATS[chosen].public_set:
        return []
    general = [name for name in readable() if name is not chosen and not FORMATS[name].public_set]
    return [name for name in general if reading_module(name).recognises(place)]


def check_numbering(format: Format, numbering: Numbering | None, source: Path) -> None:
    """Raises DatasetError where the user chooses a numbering for a public set, which has one of its own."""
    if numbering is not None and FORMATS[format].public_set:
        raise DatasetError(f"{source}: how the teeth of {format} are numbered is known; leave --numbering out")


def import_dataset(name: str | None, source: str | Path, out: str | Path, options: ImportOptions = DEFAULT) -> Path:
    """Converts `source`, of the format `name`, to a COCO dataset in the folder `out`; returns the JSON's path.

    name: None to recognise the format. A zip or tar archive is unpacked on the way. Raises DatasetError for an
    unknown format, DatasetError or ImageError for an error in the source, OutputError where `out` is in use or cannot
    be written, ExtraError where the format needs a package that is not installed.
    """
    from dentasam.data.formats.importing.run import run_import

    if name is not None:
        reading_module(name)

    def chosen(places: Sequence[Path]) -> tuple[ReadingModule, Path]:
        format, place = choose(name, places)
        if format is not Format.coco and options.crowd_as_objects:
            raise DatasetError(f"{source}: crowds as objects can be given only for the format coco, not for {format}")
        check_numbering(format, options.numbering, Path(source))
        options.recognised(format)
        others = _also_recognised(format, place) if name is None else []
        if others:
            options.report(f"also looks like {', '.join(others)}: only {format} is read; name another with --format")
        return reading_module(format), place

    return run_import(name, chosen, Path(source), Path(out), options)


def export_dataset(
    name: str,
    dataset: Dataset,
    out: str | Path,
    numbering: Numbering | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[str, ...]:
    """Writes `dataset` with a copy of its images under the folder `out`; returns what was lost, a line each.

    numbering: the system in which teeth are numbered in the export, FDI if left out. After an error nothing is left
    in `out`. Raises DatasetError or ImageError for an error in the dataset, OutputError and ExtraError as
    `import_dataset`.
    """
    from dentasam.data.formats.files.folders import folder_writer, named_under_images, with_images_under

    module = writing_module(name)
    with all_or_nothing(Path(out)) as folder:
        placed = with_images_under(
            _numbered(dataset, numbering),
            folder,
            progress,
            getattr(module, "named_images", named_under_images),
            getattr(module, "copy_image", None),
        )
        return module.write_annotations(placed, folder_writer(folder))


def write_annotations(
    name: str, dataset: Dataset, write: WriteFile, numbering: Numbering | None = None
) -> tuple[str, ...]:
    """Passes the annotation files of an export to `write`, without the images: for example into a ZIP.

    The images belong under `images/` beside these files (or where the format has them). The masks may be in memory
    only: `Dataset(path, images)` of an `ImageRecord` for each image, with an `ObjectRecord.from_mask` for each
    object; only `dicom-seg` opens the image files. Returns what was lost, a line each. Raises DatasetError for an
    unknown format and for a mask that cannot be decoded.
    """
    from dentasam.data.formats.files.folders import named_under_images

    module = writing_module(name)
    named = getattr(module, "named_images", named_under_images)
    return module.write_annotations(named(_numbered(dataset, numbering)), write)


def reading_module(name: str) -> ReadingModule:
    """The file of a format that is read. Raises DatasetError for any other name."""
    return cast(ReadingModule, _module(name, readable(), "be imported"))


def writing_module(name: str) -> WritingModule:
    """The file of a format that is written. Raises DatasetError for any other name."""
    return cast(WritingModule, _module(name, writable(), "be exported"))


def _module(name: str, offered: list[Format], what: str) -> ModuleType:
    if name not in list(Format):
        raise DatasetError(f"{name} is not a known format; choose one of {', '.join(offered)}")
    if name not in offered:
        raise DatasetError(f"the format {name} cannot {what}; choose one of {', '.join(offered)}")
    file = name.replace("-", "_")
    folder = f"{PUBLIC_SETS}." if FORMATS[Format(name)].public_set else ""
    return import_module(f"dentasam.data.formats.{folder}{file}")


def _numbered(dataset: Dataset, numbering: Numbering | None) -> Dataset:
    if numbering is None:
        return dataset
    from dentasam.data.formats.tooth_names import with_numbering

    return with_numbering(dataset, numbering)
