"""COCO instances with its images, in one folder that can be moved or sent as it is.

Polygons are on the corners of pixels. The dialects that are read are described in `dentasam.data.coco`.
"""

import json
import os
from functools import partial
from pathlib import Path

from dentasam.data.coco.parse import Parsed, parse
from dentasam.data.coco.passed_over import lines
from dentasam.data.coco.problem import Problem
from dentasam.data.dataset import Dataset
from dentasam.data.formats.files.folders import DATASET_NAME
from dentasam.data.formats.interface import Contents, ReadOptions, SourceRecord, WriteFile
from dentasam.data.formats.sources.glance import first_text
from dentasam.data.formats.sources.images import SourceImages
from dentasam.data.record import ImageRecord
from dentasam.data.teeth.numbering import Numbering
from dentasam.errors import DatasetError

# Where the JSON lies in a folder that tools write, the usual names first.
USUAL_NAMES = (DATASET_NAME, "_annotations.coco.json", "annotations.json", "annotations/instances_default.json")


def recognises(source: Path) -> bool:
    """A JSON whose beginning has a list of COCO, or a folder with one such file."""
    if source.is_dir():
        path = json_in(source)
        # nnU-Net has a dataset.json of another kind.
        return path is not None and recognises(path)
    text = first_text(source)
    return text.lstrip("\ufeff \n\r\t").startswith("{") and any(
        key in text for key in ('"annotations"', '"categories"', '"licenses"')
    )


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Reads the whole JSON; polygons and uncompressed masks become compressed RLE when an image is loaded."""
    path = json_in(source) if source.is_dir() else source
    if path is None:
        raise DatasetError(f"{source} holds no COCO JSON, or several; name the JSON itself")

    def report(problem: Problem) -> None:
        if options.skip_bad is None:
            raise DatasetError(problem.line(path))
        options.skip_bad(problem.line(path))

    folder = Path(images.place) if images.root is None else None
    parsed = parse(Path(os.path.abspath(path)), report, folder, options.crowd_as_objects)
    for line in lines(parsed.passed_over):
        options.report(line)
    return Contents(_records(parsed), Numbering.fdi, parsed.categories, parsed.info or {})


def write_annotations(dataset: Dataset, write: WriteFile) -> tuple[str, ...]:
    """Writes `dataset.json`, which names the images as the dataset does."""
    write(DATASET_NAME, json.dumps(dataset.document()).encode())
    return ()


def _records(parsed: Parsed) -> list[SourceRecord]:
    return [SourceRecord(f"image {image.id}", partial(_same, image)) for image in parsed.images]


def _same(image: ImageRecord) -> ImageRecord:
    return image


def json_in(folder: Path) -> Path | None:
    """The COCO JSON of a folder: one of the usual names, or the only JSON in it or under `annotations`."""
    for name in USUAL_NAMES:
        if (folder / name).is_file():
            return folder / name
    for place in (folder, folder / "annotations"):
        found = [path for path in sorted(place.glob("*.json")) if path.is_file()]
        if len(found) == 1 and recognises(found[0]):
            return found[0]
    return None
