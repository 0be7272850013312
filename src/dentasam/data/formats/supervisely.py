"""A project of Supervisely, as its archives hold it; only read::

    meta.json              classes and tags
    DATASET/img/a.png
    DATASET/ann/a.png.json size, tags and objects of the image

Bitmaps are PNGs of a box (base64, usually with zlib around them). Polygons are on pixel centres with their boundary
drawn, by OpenCV as Supervisely does; the interiors of a polygon, boundary included, are holes. Boxes hold the pixels
of both corners. Points and lines have no area and are left out. Tags of the image become tags, with their values.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from dentasam.data.coco.document import with_missing_categories
from dentasam.data.formats.codecs.embedded_mask import bytes_of_base64, mask_of_png, placed
from dentasam.data.formats.files.json_values import points_of, read_json, size_from
from dentasam.data.formats.files.passed_over import Tally, error_or_skip
from dentasam.data.formats.interface import Contents, ReadOptions, SourceRecord
from dentasam.data.formats.sources.drawn_size import checked_size
from dentasam.data.formats.sources.glance import first_text
from dentasam.data.formats.sources.images import SourceImage, SourceImages
from dentasam.data.masks import rle
from dentasam.data.masks.polygons import PolygonRule, boxed_polygon
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.errors import DatasetError
from dentasam.model.windows.boxed_mask import BoxedMask

META, ANNOTATIONS, IMAGES = "meta.json", "ann", "img"
DRAW_AGAIN = "delete the object or draw it again"
EXPORT_AGAIN = "export the project again"
_PNG = b"\x89PNG"
_AREAS = ("bitmap", "polygon", "rectangle")
_OUTSIDE = BoxedMask(0, 0, np.zeros((0, 0), bool))


def recognises(source: Path) -> bool:
    """A folder with `meta.json` and a dataset in it, or a folder of one dataset."""
    if not source.is_dir():
        return False
    for folder in (source, *islice((path for path in source.iterdir() if path.is_dir()), 20)):
        if (folder / ANNOTATIONS).is_dir():
            files = islice((folder / ANNOTATIONS).glob("*.json"), 3)
            if any('"objects"' in (text := first_text(file)) and '"size"' in text for file in files):
                return True
    return False


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Lists the annotation files of all datasets; each is read when its image is loaded."""
    found = sorted(source.rglob(f"{ANNOTATIONS}/*.json")) if source.is_dir() else []
    files = [path for path in found if path.is_file() and not path.name.startswith("._")]
    if not files:
        raise DatasetError(f"{source} holds no dataset of Supervisely; name the folder that holds meta.json")
    shapes = _classes(source, options)
    tally = Tally(options.report)
    records: list[SourceRecord] = []
    for path in files:
        where = path.relative_to(source).as_posix()
        inner, stem = _image_name(where)
        images.expect(inner, annotation=path, stem=stem)
        records.append(SourceRecord(where, partial(_load, path, where, images, shapes, options, tally)))
    return Contents(tally.with_last(records), None, with_missing_categories((), shapes))


def _classes(source: Path, options: ReadOptions) -> dict[str, str]:
    """The shape of each class in `meta.json`, in its order; empty where there is no such file."""
    path = source / META
    if not path.is_file():
        return {}
    content = read_json(path)
    classes = content.get("classes") if isinstance(content, dict) else None
    if not isinstance(classes, list):
        raise DatasetError(f"{path} has no list of classes; {EXPORT_AGAIN}")
    shapes: dict[str, str] = {}
    for number, item in enumerate(classes):
        title = item.get("title") if isinstance(item, dict) else None
        if not isinstance(title, str) or not title:
            error_or_skip(options, f"{path}: class {number} has no title; {EXPORT_AGAIN}")
            continue
        shapes[title] = str(item.get("shape"))
    return shapes


def _load(
    path: Path, where: str, images: SourceImages, shapes: dict[str, str], options: ReadOptions, tally: Tally
) -> ImageRecord:
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("objects"), list):
        raise DatasetError(f"{path} has no list of objects; {EXPORT_AGAIN}")
    image = _image_of(path, where, images)
    size = content.get("size")
    try:
        drawn = size_from(size.get("height"), size.get("width")) if isinstance(size, dict) else None
    except ValueError as error:
        raise DatasetError(f"{path}: {error}; {EXPORT_AGAIN}") from None
    height, width = checked_size(image, drawn, str(path))
    objects: list[ObjectRecord] = []
    for number, item in enumerate(content["objects"]):
        try:
            found = _object_of(item, shapes, height, width, tally)
        except ValueError as error:
            title = f" ({item['classTitle']!r:.40})" if isinstance(item, dict) and "classTitle" in item else ""
            error_or_skip(options, f"{path}: object {number}{title}: {error}; {DRAW_AGAIN}")
            continue
        if found is not None:
            objects.append(found)
    tags = tuple(dict.fromkeys(_tags_of(content.get("tags"))))
    return ImageRecord(0, image.path, image.name, width, height, tags, tuple(objects))


def _image_name(where: str) -> tuple[str, bool]:
    """The image of an annotation file `a.png.json`, in older projects `a.json`, and whether its suffix is missing."""
    folder, _, name = where.rpartition(f"{ANNOTATIONS}/")
    inner = f"{folder}{IMAGES}/{name[: -len('.json')]}"
    return inner, not Path(inner).suffix


def _image_of(path: Path, where: str, images: SourceImages) -> SourceImage:
    inner, stem = _image_name(where)
    return images.find_stem(inner, path) if stem else images.find(inner, path)


def _object_of(item: object, shapes: dict[str, str], height: int, width: int, tally: Tally) -> ObjectRecord | None:
    """One object, None where it has no area. Raises ValueError with the reason."""
    if not isinstance(item, dict):
        raise ValueError("it is not a JSON object")
    title = item.get("classTitle")
    if not isinstance(title, str) or not title:
        raise ValueError("it has no class")
    kind = item.get("geometryType") or _kind_of(item, shapes.get(title))
    if kind not in _AREAS:
        tally.add(f"objects of the type {kind!r:.40} left out")
        return None
    mask = _bitmap(item, height, width) if kind == "bitmap" else _by_points(str(kind), item, height, width)
    if not mask.bits.any():
        raise ValueError("it covers no pixel of the image")
    record = ObjectRecord.from_runs(0, title, rle.encode_box(*mask, height, width), height, width)
    extra: dict[str, Any] = {}
    if isinstance(item.get("description"), str) and item["description"]:
        extra["description"] = item["description"]
    if tags := list(_tags_of(item.get("tags"))):
        extra["tags"] = tags
    return replace(record, extra=extra)


def _kind_of(item: dict[str, Any], shape: str | None) -> str | None:
    """The geometry of an object in a project of before 2019, which names none."""
    return "bitmap" if isinstance(item.get("bitmap"), dict) else shape


def _bitmap(item: dict[str, Any], height: int, width: int) -> BoxedMask:
    bitmap = item.get("bitmap")
    if not isinstance(bitmap, dict):
        raise ValueError("it has no bitmap")
    origin = points_of([bitmap.get("origin")], 2 * max(height, width))
    data = bytes_of_base64(bitmap.get("data"), "its bitmap")
    if not data.startswith(_PNG):
        data = _inflated(data, 4 * height * width + 65536)
    x, y = np.round(origin[0]).astype(int).tolist()
    return placed(x, y, mask_of_png(data, height, width), height, width)


def _inflated(data: bytes, most: int) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(data, most)
    except zlib.error:
        raise ValueError("its bitmap is not compressed by zlib") from None
    if not unpacking.eof:
        raise ValueError("its bitmap is cut or larger than the image")
    return content


def _by_points(kind: str, item: dict[str, Any], height: int, width: int) -> BoxedMask:
    points = item.get("points")
    if not isinstance(points, dict):
        raise ValueError("it has no points")
    reach = 2 * max(height, width)
    exterior = np.round(points_of(points.get("exterior"), reach))
    if kind == "rectangle":
        if len(exterior) != 2:
            raise ValueError(f"a box has {len(exterior)} points in place of 2")
        left, top = np.maximum(exterior.min(axis=0), 0).astype(int).tolist()
        right, bottom = np.minimum(exterior.max(axis=0), (width - 1, height - 1)).astype(int).tolist()
        if right < left or bottom < top:
            return _OUTSIDE
        return BoxedMask(left, top, np.ones((bottom - top + 1, right - left + 1), bool))
    interior = points.get("interior") or []
    if not isinstance(interior, list):
        raise ValueError("its interior is not a list of rings")
    mask = boxed_polygon(exterior, height, width, PolygonRule.yolo)
    bits = mask.bits.copy()
    for ring in interior:
        hole = boxed_polygon(np.round(points_of(ring, reach)), height, width, PolygonRule.yolo)
        # The part of the hole in the box of the object.
        inside = placed(hole.x - mask.x, hole.y - mask.y, hole.bits, *bits.shape)
        own_height, own_width = inside.bits.shape
        bits[inside.y : inside.y + own_height, inside.x : inside.x + own_width] &= ~inside.bits
    return BoxedMask(mask.x, mask.y, bits).tight()


def _tags_of(tags: object) -> Iterator[str]:
    """Tags as `name` or `name: value`; older projects have texts in place of objects."""
    for tag in tags if isinstance(tags, list) else ():
        name = tag.get("name") if isinstance(tag, dict) else tag
        value = tag.get("value") if isinstance(tag, dict) else None
        if isinstance(name, str) and name:
            yield f"{name}: {value}" if isinstance(value, str | int | float) else name
