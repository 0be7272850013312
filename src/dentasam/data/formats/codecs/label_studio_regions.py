"""The regions in one annotation of Label Studio, with their labels and masks.

A region is one entry of `result`, or several with the same `id`: where the configuration separates drawing from
labelling, one has the shape (`brush`) and one the labels (`labels`). Positions are in percent of the image, from the
corner of its first pixel. `image_rotation` only says how the picture was turned on the screen. Angles run clockwise:
those of boxes about x, y, their upper left corner before the turn, after percent have become pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import cos, radians, sin
from typing import Any

import numpy as np

from dentasam.data.formats.codecs.embedded_mask import bytes_of_base64, mask_of_png
from dentasam.data.formats.codecs.label_studio_rle import decode
from dentasam.data.formats.files.json_values import number_of, points_of
from dentasam.data.masks.polygons import PolygonRule, boxed_ellipse, boxed_polygon
from dentasam.model.windows.boxed_mask import BoxedMask

SHAPES = ("brush", "bitmask", "polygon", "rectangle", "ellipse")
# These two store pixels of the original image; all others are in percent.
PIXELS = ("brush", "bitmask")
# Positions and sizes beyond this are an error of the source: three times the image on each side.
_MAX_PERCENT = 300.0
_PNG_URL = "data:image/png;base64,"


@dataclass
class Region:
    """The entries of one region. kind: one of `SHAPES`, of `others` that are no areas, or empty for labels alone."""

    number: int
    kind: str = ""
    entry: dict[str, Any] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)


@dataclass
class Result:
    """What an annotation holds: regions, tags of the image as a whole, and the types of other entries."""

    regions: list[Region] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def result_of(entries: list[Any]) -> Result:
    """Sorts the entries of `result`. Raises ValueError with the reason, beginning with the entry's number."""
    result, by_id = Result(), dict[object, Region]()
    choices: list[tuple[object, list[str]]] = []
    for number, entry in enumerate(entries):
        kind = entry.get("type") if isinstance(entry, dict) else None
        value = entry.get("value", {}) if isinstance(entry, dict) else None
        if not isinstance(kind, str) or not isinstance(value, dict | None):
            raise ValueError(f"entry {number} of its result has no type or no value")
        id = entry.get("id")
        key: object = id if isinstance(id, str | int) else ("entry", number)
        shape = kind.removesuffix("labels")
        if kind == "choices":
            choices.append((key, _texts(value, "choices", number)))
        elif kind == "labels" or shape in SHAPES or shape in ("keypoint", "vector"):
            if shape and key in by_id and by_id[key].kind and _drawn(by_id[key].entry) != _drawn(entry):
                key = ("entry", number)  # another region that was given the same id
            if key not in by_id:
                by_id[key] = Region(number)
                result.regions.append(by_id[key])
            region = by_id[key]
            if shape:
                region.kind, region.entry = shape, entry
            if kind.endswith("labels"):
                region.labels += [text for text in _texts(value, kind, number) if text not in region.labels]
        else:
            result.others.append(kind)
    for key, names in choices:
        if key in by_id:
            result.others.append("choices of a region")
        else:
            result.tags += names
    return result


def mask_of_region(region: Region, height: int, width: int) -> BoxedMask:
    """The mask of a region in an image. Raises ValueError with the reason."""
    value = region.entry.get("value") or {}
    if region.kind == "brush":
        return BoxedMask(0, 0, decode(value.get("rle"), height, width)).tight()
    if region.kind == "bitmask":
        return _of_bitmask(value.get("imageDataURL"), height, width)
    if region.kind == "polygon":
        points = points_of(value.get("points"), _MAX_PERCENT) * (width / 100, height / 100)
        return boxed_polygon(points, height, width, PolygonRule.corners)
    angle = radians(number_of(value.get("rotation", 0), "its rotation"))
    x, y = (_pixels(value, key, side) for key, side in (("x", width), ("y", height)))
    if region.kind == "rectangle":
        across, down = (_pixels(value, key, side) for key, side in (("width", width), ("height", height)))
        corners = np.array([[0.0, 0.0], [across, 0.0], [across, down], [0.0, down]])
        turn = np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]])
        # Sines of right angles are not quite 0; a corner on a pixel's centre would fall to either side.
        return boxed_polygon(np.round(corners @ turn + (x, y), 6), height, width, PolygonRule.corners)
    across, down = (_pixels(value, key, side) for key, side in (("radiusX", width), ("radiusY", height)))
    return boxed_ellipse(x, y, across, down, angle, height, width)


def sizes_in(regions: list[Region]) -> Iterator[tuple[object, object]]:
    """Height and width of the original image, as each region with a shape gives them."""
    for region in regions:
        if region.kind:
            yield region.entry.get("original_height"), region.entry.get("original_width")


def _drawn(entry: dict[str, Any]) -> dict[str, Any]:
    """The value of an entry without its labels: the same region may have an entry for each set of labels."""
    return {key: value for key, value in (entry.get("value") or {}).items() if not key.endswith("labels")}


def _texts(value: dict[str, Any] | None, key: str, number: int) -> list[str]:
    texts = (value or {}).get(key, [])
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        raise ValueError(f"the {key} in entry {number} of its result are not a list of texts")
    return list(dict.fromkeys(texts))


def _pixels(value: dict[str, Any], key: str, side: int) -> float:
    percent = number_of(value.get(key), f"its {key}")
    if abs(percent) > _MAX_PERCENT:
        raise ValueError(f"its {key} of {percent:.6g} percent is far outside the image")
    return percent * side / 100


def _of_bitmask(url: object, height: int, width: int) -> BoxedMask:
    if not isinstance(url, str) or not url.startswith(_PNG_URL):
        raise ValueError("its imageDataURL is not a PNG")
    bits = mask_of_png(bytes_of_base64(url.removeprefix(_PNG_URL), "its imageDataURL"), height, width)
    if bits.shape != (height, width):
        raise ValueError(f"its bitmask has {bits.shape[1]}x{bits.shape[0]} pixels, the image {width}x{height}")
    return BoxedMask(0, 0, bits).tight()
