"""LabelMe and X-AnyLabeling: a JSON beside each image, with its shapes.

Polygons are on pixel centres with their boundary drawn, as LabelMe itself makes masks of them: `centres` in
`data.masks.polygons`. Read are the versions 3 to 6 and X-AnyLabeling; points and lines are no areas and are left out.
Shapes of the same label and the same `group_id` are one object. Shapes that share the group alone are not, since
datasets use groups for other things as well. Flags of the image that are true become tags.

LabelMe applies the orientation tag of EXIF. Pixels are taken here as stored, so that an image with such a tag whose
shapes were drawn on the turned picture is refused. `imageData` is used where the image is
neither where `imagePath` says nor beside the JSON.

Written are polygons where one ring holds the whole object, and LabelMe's mask shapes for objects with holes or in
pieces, so that nothing is lost.
"""

from __future__ import annotations

import base64
import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from dentasam.data.dataset import Dataset
from dentasam.data.formats.codecs.embedded_mask import bytes_of_base64
from dentasam.data.formats.codecs.labelme_shapes import NOT_AREAS, mask_of_shape
from dentasam.data.formats.files.dicom_notes import dicom_notes
from dentasam.data.formats.files.folders import crowd_notes, inner_name, json_bytes, named_under_images, png_bytes
from dentasam.data.formats.files.json_values import read_json, size_from
from dentasam.data.formats.files.numbering_mark import numbering_mark
from dentasam.data.formats.files.passed_over import Tally, error_or_skip
from dentasam.data.formats.interface import Contents, ReadOptions, SourceRecord, WriteFile
from dentasam.data.formats.sources.drawn_size import checked_size
from dentasam.data.formats.sources.glance import first_text, some_files
from dentasam.data.formats.sources.images import ImageNotFound, SourceImage, SourceImages
from dentasam.data.formats.tooth_names import declared
from dentasam.data.images.kind import kind_of_bytes
from dentasam.data.links import is_link_out
from dentasam.data.masks import rle
from dentasam.data.masks.outlines import outlines_of_mask
from dentasam.data.masks.polygons import PolygonRule, joined
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.data.spelling import portable
from dentasam.data.teeth.numbering import MARK, Numbering
from dentasam.errors import DatasetError
from dentasam.files.whole_file import write_whole
from dentasam.model.windows.boxed_mask import BoxedMask

VERSION = "5.5.0"
DRAW_AGAIN = "delete the shape or draw it again"
# Our mark stands first in the files that we write, and last in those that LabelMe saved again.
END_BYTES = 1024
_MARK = re.compile(rb'"%s"\s*:\s*"(\w+)"' % MARK.encode())
_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif"}


def recognises(source: Path) -> bool:
    """A JSON with shapes, or a folder with such files."""
    if source.is_dir():
        return any(map(recognises, some_files(source, ".json")))
    text = first_text(source)
    return '"shapes"' in text and any(key in text for key in ('"shape_type"', '"imagePath"', '"points"', '"flags"'))


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Lists the files with shapes in a folder and its subfolders; each is read when its image is loaded."""
    files = [source] if source.is_file() else _files_in(source, options.report)
    if not files:
        raise DatasetError(f"{source} holds no JSON of LabelMe; name the folder that holds the annotations")
    tally = Tally(options.report)
    names = [file.name if file == source else file.relative_to(source).as_posix() for file in files]
    for name, file in zip(names, files, strict=True):
        # The names inside the files are known when each is loaded; usually they are those of the files.
        images.expect(str(PurePosixPath(name).with_suffix("")) + ".png", annotation=file, stem=True, guess=True)
    records = [
        SourceRecord(name, partial(_load, file, name, images, options, tally))
        for name, file in zip(names, files, strict=True)
    ]
    return Contents(tally.with_last(records), _declared(files))


def named_images(dataset: Dataset) -> Dataset:
    """Names under `images/`; where two images differ in suffix alone, the second gets a JSON of its own by its id."""
    return named_under_images(dataset, without_suffix=True)


def write_annotations(dataset: Dataset, write: WriteFile) -> tuple[str, ...]:
    """Writes a JSON beside each image."""
    mark = numbering_mark(dataset)
    for image in dataset.images:
        content = {
            **mark,
            "version": VERSION,
            "flags": dict.fromkeys(image.tags, True),
            "shapes": list(_shapes_of(image)),
            "imagePath": PurePosixPath(image.file_name).name,
            "imageData": None,
            "imageHeight": image.height,
            "imageWidth": image.width,
        }
        write(_json_name(image), json_bytes(content))
    return (*crowd_notes(dataset), *dicom_notes(dataset, "LabelMe"))


def _json_name(image: ImageRecord) -> str:
    return f"images/{PurePosixPath(inner_name(image)).with_suffix('.json')}"


def _shapes_of(image: ImageRecord) -> Iterator[dict[str, Any]]:
    for record, mask in zip(image.objects, image.boxed_masks(), strict=True):
        rings = outlines_of_mask(mask.bits, PolygonRule.centres, mask.x, mask.y)
        shape: dict[str, Any] = {"label": record.category, "group_id": None, "description": "", "flags": {}}
        if len(rings) == 1:
            yield {**shape, "points": rings[0].points.tolist(), "shape_type": "polygon", "mask": None}
            continue
        height, width = mask.bits.shape
        corners = [[mask.x, mask.y], [mask.x + width - 1, mask.y + height - 1]]
        coded = base64.b64encode(png_bytes(mask.bits.astype(np.uint8))).decode()
        yield {**shape, "points": corners, "shape_type": "mask", "mask": coded}


def _files_in(folder: Path, report: Callable[[str], None]) -> list[Path]:
    """The JSON files that have shapes or cannot be read, which is then an error; others belong to other programs."""
    found: list[Path] = []
    others: list[Path] = []
    for path in sorted(folder.rglob("*.[jJ][sS][oO][nN]")):
        if path.is_file() and not path.name.startswith("._"):
            (found if '"shapes"' in first_text(path) or _may_have_shapes(path) else others).append(path)
    if others and found:
        more = f" and {len(others) - 1} more" * (len(others) > 1)
        report(f"{others[0].relative_to(folder)}{more} left out: no list of shapes as LabelMe writes it")
    return found


def _may_have_shapes(path: Path) -> bool:
    try:
        content = read_json(path)
    except DatasetError:
        return True
    return isinstance(content, dict) and "shapes" in content


def _declared(files: list[Path]) -> Numbering | None:
    """The numbering that the files name, if all that name teeth agree; those without shapes name none."""
    found = set[bytes]()
    for path in files:
        if is_link_out(path):
            continue  # as one that cannot be read
        try:
            with path.open("rb") as file:
                head = file.read(END_BYTES)
                file.seek(-min(END_BYTES, path.stat().st_size), 2)
                marks = set(_MARK.findall(head) + _MARK.findall(file.read()))
        except OSError:
            continue  # it is reported when it is loaded
        if not marks and _names_objects(path):
            return None
        found |= marks
    return declared(found.pop().decode("ascii", "replace")) if len(found) == 1 else None


def _names_objects(path: Path) -> bool:
    """Whether a file has shapes; true for one that cannot be read, which is an error when it is loaded."""
    try:
        content = read_json(path)
    except DatasetError:
        return True
    return isinstance(content, dict) and bool(content.get("shapes"))


@dataclass(frozen=True)
class _Part:
    """One shape: its object is that of all parts with the same label and group."""

    label: str
    group: int | str | None
    mask: BoxedMask
    extra: dict[str, Any]


def _load(path: Path, name: str, images: SourceImages, options: ReadOptions, tally: Tally) -> ImageRecord:
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
        raise DatasetError(f"{path} has no list of shapes, as LabelMe writes it; save it in LabelMe again")
    image = _image_of(path, name, content, images, options, tally)
    try:
        drawn = size_from(content.get("imageHeight"), content.get("imageWidth"))
    except ValueError as error:
        raise DatasetError(f"{path}: {error}; save it in LabelMe again") from None
    height, width = checked_size(image, drawn, str(path))
    objects: dict[object, list[_Part]] = defaultdict(list)
    for number, shape in enumerate(content["shapes"]):
        try:
            part = _part_of(shape, height, width, tally)
        except ValueError as error:
            label = f" ({shape['label']!r:.40})" if isinstance(shape, dict) and "label" in shape else ""
            error_or_skip(options, f"{path}: shape {number}{label}: {error}; {DRAW_AGAIN}")
            continue
        if part is not None:
            key = number if part.group is None else (part.label, part.group)
            objects[key].append(part)
    records = tuple(_object_of(parts, height, width) for parts in objects.values())
    return ImageRecord(0, image.path, image.name, width, height, _tags_of(content.get("flags")), records)


def _part_of(shape: object, height: int, width: int, tally: Tally) -> _Part | None:
    """One shape, None where it is not an area. Raises ValueError with the reason."""
    if not isinstance(shape, dict):
        raise ValueError("it is not a JSON object")
    kind = shape.get("shape_type") or "polygon"
    if not isinstance(kind, str):
        raise ValueError("its shape_type is not a text")
    if kind in NOT_AREAS:
        tally.add(f"shapes of the type {kind} left out, since they have no area")
        return None
    label, group = shape.get("label"), shape.get("group_id")
    if not isinstance(label, str) or not label:
        raise ValueError("its label is not a text")
    if group is not None and type(group) not in (int, str):
        raise ValueError("its group_id is not a whole number")
    mask = mask_of_shape(kind, shape, height, width)
    if mask is None:
        tally.add(f"shapes of the type {kind!r:.40} left out, which is not known")
        return None
    if not mask.bits.any():
        raise ValueError("it covers no pixel of the image")
    return _Part(label, group, mask, _extra_of(shape))


def _extra_of(shape: dict[str, Any]) -> dict[str, Any]:
    """What else the tools say about an object, as far as it is plain."""
    extra: dict[str, Any] = {}
    if isinstance(shape.get("description"), str) and shape["description"]:
        extra["description"] = shape["description"]
    if shape.get("difficult") is True:
        extra["difficult"] = True
    for key in ("attributes", "flags"):
        values = shape.get(key)
        if isinstance(values, dict) and values and all(isinstance(value, str | bool) for value in values.values()):
            extra[key] = values
    return extra


def _object_of(parts: list[_Part], height: int, width: int) -> ObjectRecord:
    mask = joined(part.mask for part in parts)
    runs = rle.encode_box(mask.x, mask.y, mask.bits, height, width)
    return replace(ObjectRecord.from_runs(0, parts[0].label, runs, height, width), extra=parts[0].extra)


def _tags_of(flags: object) -> tuple[str, ...]:
    return tuple(name for name, value in flags.items() if value is True) if isinstance(flags, dict) else ()


def _image_of(
    path: Path, name: str, content: dict[str, Any], images: SourceImages, options: ReadOptions, tally: Tally
) -> SourceImage:
    named = content.get("imagePath")
    try:
        if not isinstance(named, str) or not named:
            return images.find_stem(path.stem, path)
        # Without a root the images are known: those of a folder that the user named, or of a worklist.
        if images.root is None:
            return images.find(_from_source(named, name), path)
        own = images.beside(named, path)
        if own is not None:
            return images.find(own.name)
        # An image of the same name in another folder is less certain than the one inside the file.
        if not content.get("imageData"):
            return images.find(named, path)
    except ImageNotFound:
        if images.root is None or not content.get("imageData"):
            raise
    stem = PurePosixPath(portable(named)).stem if isinstance(named, str) and named else path.stem
    found = _embedded(path, name, stem or path.stem, content["imageData"], options.scratch)
    tally.add("images taken from imageData, since their files are missing")
    return found


def _from_source(named: str, name: str) -> str:
    """An image's path from where the source begins: by its folder it is told from others where it lies elsewhere."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), portable(named)))


def _embedded(path: Path, name: str, stem: str, coded: object, scratch: Path) -> SourceImage:
    """The image inside a JSON as a file; name: the JSON's, in whose folder of the dataset the image will lie."""
    try:
        data = bytes_of_base64(coded, "its imageData")
    except ValueError as error:
        raise DatasetError(f"{path}: its image is missing, and {error}; put the image beside it") from None
    suffix = _SUFFIXES.get(kind_of_bytes(data[:256]))
    if suffix is None:
        raise DatasetError(
            f"{path}: its image is missing, and imageData is not a PNG, JPEG or TIFF; put the image beside it"
        )
    target = scratch / "labelme" / name / f"image{suffix}"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, data)
    return SourceImage(str(PurePosixPath(name).with_name(stem + suffix)), target)
