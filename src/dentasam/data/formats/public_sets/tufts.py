"""Tufts Dental Database: 1,000 panoramics with outlines of teeth by Universal number.

http://tdd.ece.tufts.edu, doi 10.1109/JBHI.2021.3117575. On request, for research and education; no redistribution. A
list of Labelbox objects with its images::

    Radiographs/1.JPG
    Segmentation/teeth_polygon.json    [{"External ID": "1.jpg", "Label": {"objects": [{"title": "19",
                                         "polygons": [[[x, y], …], …]}, …]}}, …]

Titles are Universal numbers, 1-32 and A-T, which become FDI. The 32 images of patients without teeth have no objects.
Not read: the masks of `Segmentation` (all teeth as one), and the abnormalities and eye tracking of `Expert` and
`Student`.

The outlines were traced from masks, several for each tooth: one of the tooth and many specks of a few pixels, some of
them far away. Specks of less than a twentieth of the largest outline's area are left out and counted. Points are
pixels: the rule `centres`, which is a reading of the published points and stated nowhere. A tooth is the union of its
outlines, so that a hole would be filled. The set's boxes are y1, x1, y2, x2, partly wrong, and not kept.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dentasam.data.formats.files.json_values import points_of
from dentasam.data.formats.files.passed_over import Tally, error_or_skip
from dentasam.data.formats.interface import Contents, ReadOptions, SourceRecord
from dentasam.data.formats.public_sets.published import PublishedSet, read_published_json
from dentasam.data.formats.sources.glance import first_text
from dentasam.data.formats.sources.images import SourceImages
from dentasam.data.links import OPTION, Bounds
from dentasam.data.masks import rle
from dentasam.data.masks.polygons import PolygonRule, boxed_polygons
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.data.teeth.numbering import Numbering, to_fdi

TUFTS = PublishedSet(
    "the Tufts Dental Database", "http://tdd.ece.tufts.edu", "the folder with Radiographs and Segmentation"
)
FILE, FOLDER = "teeth_polygon.json", "Segmentation"
MIN_SHARE = 0.05


def recognises(source: Path) -> bool:
    """The set's JSON by its name and keys, or a folder that holds it."""
    path = _file_of(source)
    return path is not None and path.name == FILE and '"External ID"' in first_text(path)


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Reads the outlines of teeth. Where the JSON itself is named, its images are those of the folder above."""
    path = _file_of(source)
    if path is None:
        raise TUFTS.refusal(source, f"it holds no {FOLDER}/{FILE}")
    content = read_published_json(path, TUFTS)
    if not isinstance(content, list):
        raise TUFTS.refusal(path, "it is not a list of images")
    if images.root is not None:
        # The masks of all teeth have the names of the images.
        radiographs = (
            path.parent.parent / "Radiographs" if path.parent.name == FOLDER else path.parent / "Radiographs"
        )
        if not radiographs.is_dir():
            raise TUFTS.refusal(path, "there is no folder Radiographs beside it")
        if not options.follow_links and Bounds(radiographs.parent).leads_out(radiographs):
            raise TUFTS.refusal(radiographs, f"it is a link out of the folder; give {OPTION}")
        images = SourceImages.in_folder(radiographs, options.report, follow_links=options.follow_links)
    tally, records = Tally(options.report), []
    for position, entry in enumerate(content):
        name = entry.get("External ID") if isinstance(entry, dict) else None
        label = entry.get("Label") if isinstance(entry, dict) else None
        objects = label.get("objects") if isinstance(label, dict) else None
        if not isinstance(name, str) or not name or not isinstance(objects, list):
            raise TUFTS.refusal(path, f"entry {position} has no 'External ID' or no 'Label' with 'objects'")
        load = partial(_load, path, name, objects, images, options, tally)
        records.append(SourceRecord(f"{path.name}, entry {position} ({name:.40})", load))
    return Contents(tally.with_last(records), Numbering.universal)


def _file_of(source: Path) -> Path | None:
    if source.is_file():
        return source
    return next((path for path in (source / FOLDER / FILE, source / FILE) if path.is_file()), None)


def _load(
    path: Path, name: str, objects: list[Any], images: SourceImages, options: ReadOptions, tally: Tally
) -> ImageRecord:
    # The JSON names images in small letters, which the files are not: 1.jpg is 1.JPG.
    image = images.find_stem(name, path)
    height, width = image.size
    found: list[ObjectRecord] = []
    for number, item in enumerate(objects):
        try:
            found.append(_tooth(item, height, width, tally))
        except ValueError as error:
            error_or_skip(options, f"{path}, {name:.40}, object {number}: {error}; correct or delete it")
    return ImageRecord(0, image.path, image.name, width, height, (), tuple(found))


def _tooth(item: Any, height: int, width: int, tally: Tally) -> ObjectRecord:
    """One tooth. Raises ValueError with the reason."""
    title = item.get("title") if isinstance(item, dict) else None
    if not isinstance(title, str) or to_fdi(title, Numbering.universal) is None:
        raise ValueError(f"its title {title!r:.40} is not a Universal number")
    polygons = item.get("polygons")
    if not isinstance(polygons, list) or not polygons:
        raise ValueError("it has no polygons")
    rings = [points_of(polygon, 2 * max(height, width)) for polygon in polygons]
    areas = [cv2.contourArea(ring.astype(np.float32)) if len(ring) > 2 else 0.0 for ring in rings]
    # A single pixel or line is a tooth only where there is nothing larger.
    kept = [ring for ring, area in zip(rings, areas, strict=True) if len(ring) > 2 and area >= MIN_SHARE * max(areas)]
    tally.add("specks beside the outlines of teeth left out", len(rings) - len(kept))
    mask = boxed_polygons(kept, height, width, PolygonRule.centres)
    if not mask.bits.any():
        raise ValueError("its polygons cover no pixel of the image")
    return ObjectRecord.from_runs(0, title, rle.encode_box(*mask, height, width), height, width)
