"""OdontoAI Open Panoramic Radiographs (O2PR): 4,000 panoramics, 2,000 with a polygon for each tooth.

https://github.com/IvisionLab/OdontoAI-Open-Panoramic-Radiographs, doi 10.1080/21681163.2022.2157747. On request, for
research; no redistribution, modification or commercial use. COCO files with their images::

    train/train.json  train/images/pan-00577.jpg
    val/val.json      val/images/

The folder above them (both files become one dataset) or one JSON is read. The categories 1 to 52 are the teeth 11-18,
21-28, 31-38, 41-48, 51-55, 61-65, 71-75 and 81-85, named `tooth-11` and so on; a file whose names say otherwise is
refused. Polygons follow the rule `corners`; RLE is read as well. 1,350 of the 2,000 were outlined with the help of a
network. Nothing is lost but which images are for validation.

It is read by this name only and never recognised, since the format `coco` reads one such JSON alike.
"""

from __future__ import annotations

import re
from pathlib import Path

from dentasam.data.formats.interface import Contents, ReadOptions, SourceRecord
from dentasam.data.formats.public_sets.coco_tables import Naming, names_by_id, read_tables, records_of
from dentasam.data.formats.public_sets.published import PublishedSet
from dentasam.data.formats.sources.images import SourceImages
from dentasam.data.masks.polygons import PolygonRule
from dentasam.data.teeth.numbering import Numbering
from dentasam.documents.values import whole

ODONTOAI = PublishedSet(
    "OdontoAI",
    "https://github.com/IvisionLab/OdontoAI-Open-Panoramic-Radiographs",
    "train.json or val.json, or the folder above train/train.json",
)
FILES = ("train/train.json", "val/val.json", "train.json", "val.json")
TEETH = dict(
    enumerate(
        [f"{quadrant}{place}" for quadrant in range(1, 9) for place in range(1, 9 if quadrant < 5 else 6)], start=1
    )
)
_NAME = re.compile(r"(?:tooth[-_ ]?)?(\d\d)", re.IGNORECASE | re.ASCII)


def recognises(source: Path) -> bool:
    """Never, since the format `coco` reads its files alike."""
    return False


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Reads one JSON, or those of a folder."""
    paths = [source] if source.is_file() else [source / name for name in FILES if (source / name).is_file()]
    if not paths:
        raise ODONTOAI.refusal(source, "it holds no train/train.json")
    records = [record for path in paths for record in _records(path, images, options)]
    return Contents(records, Numbering.fdi)


def _records(path: Path, images: SourceImages, options: ReadOptions) -> list[SourceRecord]:
    content = read_tables(path, ODONTOAI, "categories")
    for id, name in names_by_id(content, "categories", path, ODONTOAI).items():
        match = _NAME.fullmatch(name)
        if id not in TEETH or match is None or match[1] != TEETH[id]:
            expected = f"tooth-{TEETH[id]}" if id in TEETH else "none"
            raise ODONTOAI.refusal(path, f"its category {id!s:.20} is {name!r:.40} in place of {expected}")
    return records_of(path, content, images, options, _name_of, PolygonRule.corners)


def _name_of(item: dict[str, object]) -> Naming:
    id = whole(item.get("category_id"))
    if id is None or id not in TEETH:
        raise ValueError(f"its category_id {item.get('category_id')!r:.40} is not one of 1 to 52")
    return Naming(TEETH[id])
