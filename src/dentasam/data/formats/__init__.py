"""Import and export of datasets, one file per format.

Each file has `import_dataset(source, out, options) -> Path`, which writes `out/dataset.json` and its images under
`out/images`, and `export_dataset(dataset, out) -> tuple[str, ...]`, which fills `out` and returns what the
user should be told of it, a line each. `out` is an empty folder that exists.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from dentasam.data.dataset import Dataset
from dentasam.data.formats.options import ImportOptions
from dentasam.data.output import claim_folder
from dentasam.errors import DatasetError

DEFAULT = ImportOptions()
FORMATS = ("coco", "png", "labels")


def import_dataset(name: str, source: str | Path, out: str | Path, options: ImportOptions = DEFAULT) -> Path:
    """Brings `source`, of the format `name`, under the folder `out` and returns the path of its COCO JSON.

    Raises DatasetError or ImageError for a fault in the source, OutputError where `out` is in
    use or cannot be written.
    """
    module = _module(name)
    if name != "coco" and (options.images is not None or options.crowd_as_objects):
        raise DatasetError(
            f"{source}: images elsewhere and crowds are for a COCO file; the format {name} has its folder 'images'"
        )
    path: Path = module.import_dataset(Path(source), claim_folder(Path(out)), options)
    return path


def export_dataset(name: str, dataset: Dataset, out: str | Path) -> tuple[str, ...]:
    """Writes `dataset` with its images under the folder `out`; returns what could not be kept, a line each.

    Raises DatasetError or ImageError for a fault in the dataset, OutputError as `import_dataset`.
    """
    notes: tuple[str, ...] = _module(name).export_dataset(dataset, claim_folder(Path(out)))
    return notes


def _module(name: str) -> ModuleType:
    if name not in FORMATS:
        raise DatasetError(f"{name} is no known format; choose one of {', '.join(FORMATS)}")
    return import_module(f"dentasam.data.formats.{name}")
