"""AKUDENTAL: 333 panoramics with outlines of teeth, bridges, fillings with crowns, and implants.

https://github.com/melihoz/AKUDENTAL, doi 10.1186/s12903-025-07645-0, CC BY-NC-SA 4.0. One COCO file and its images::

    AKUDENTAL/akudental_instances.json
    AKUDENTAL/images/1.jpg
    AKUDENTAL/annotations/1.json    the same outlines in LabelMe, not read

The categories of teeth are named `11 - Central Incisor`, of which the FDI number stays; `Bridge`, `Filling - Crown`
and `Implant` keep their names. The folds of the authors' cross-validation are not kept.

The outlines were drawn in LabelMe, with 10 to 25 points for a tooth, and their points cut to whole pixels. So the
rule is `centres`, which gives the masks of LabelMe; `--format coco` draws the same file by `corners`, which leaves
out the pixels of the right and lower edge.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dentasam.data.formats.interface import Contents, ReadOptions
from dentasam.data.formats.public_sets.coco_tables import Naming, names_by_id, read_tables, records_of
from dentasam.data.formats.public_sets.published import PublishedSet, images_in
from dentasam.data.formats.sources.images import SourceImages
from dentasam.data.masks.polygons import PolygonRule
from dentasam.data.teeth.numbering import Numbering
from dentasam.documents.values import whole

FILE = "akudental_instances.json"
AKUDENTAL = PublishedSet("AKUDENTAL", "https://github.com/melihoz/AKUDENTAL", f"{FILE} with its folder images")
OTHERS = ("Bridge", "Filling - Crown", "Implant")
FOLDERS = ("", "AKUDENTAL", "metadata")
_TOOTH = re.compile(r"([1-4][1-8]) - [\w ]+", re.ASCII)


def recognises(source: Path) -> bool:
    """The set's JSON by its name, or a folder that holds it."""
    return _file_of(source) is not None


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Reads the set's JSON, or another of its kind that is named."""
    path = source if source.is_file() else _file_of(source)
    if path is None:
        raise AKUDENTAL.refusal(source, f"it holds no {FILE}")
    content = read_tables(path, AKUDENTAL, "categories")
    images = images_in(images, path.parent / "images")
    names = {id: _category(name, path) for id, name in names_by_id(content, "categories", path, AKUDENTAL).items()}

    def name_of(item: dict[str, Any]) -> Naming:
        id = whole(item.get("category_id"))
        if id is None or id not in names:
            raise ValueError(f"no category has its category_id {item.get('category_id')!r:.40}")
        return Naming(names[id])

    return Contents(records_of(path, content, images, options, name_of, PolygonRule.centres), Numbering.fdi)


def _file_of(source: Path) -> Path | None:
    if source.is_file():
        return source if source.name == FILE else None
    return next((source / each / FILE for each in FOLDERS if (source / each / FILE).is_file()), None)


def _category(name: str, path: Path) -> str:
    match = _TOOTH.fullmatch(name)
    if match is None and name not in OTHERS:
        raise AKUDENTAL.refusal(path, f"its category {name!r:.40} is none of the set's")
    return name if match is None else match[1]
