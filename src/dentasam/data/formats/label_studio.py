"""Label Studio's JSON export: a list of tasks, each an image with the annotations that people made of it.

Read are brushes, bitmasks, polygons, boxes and ellipses, turned or not (`codecs.label_studio_regions`). Polygons are
on pixel corners (`corners` in `data.masks.polygons`). Keypoints have no area and are left out, and so are predictions
and annotations that were cancelled. Each annotation becomes a record of its image, with its annotator; several of one
image share its file. Choices for the whole image become tags. JSON-MIN is not read: it mixes all annotators.

Written are brush masks, which keep every pixel, and `labeling_config.xml` for the project that they are imported to.
The tasks name images by the address at which Label Studio serves local files.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import quoteattr

from dentasam.data.dataset import Dataset
from dentasam.data.formats.codecs.label_studio_regions import (
    PIXELS,
    SHAPES,
    Region,
    mask_of_region,
    result_of,
    sizes_in,
)
from dentasam.data.formats.codecs.label_studio_rle import encode
from dentasam.data.formats.files.dicom_notes import dicom_notes
from dentasam.data.formats.files.folders import crowd_notes
from dentasam.data.formats.files.json_values import read_json, size_from
from dentasam.data.formats.files.numbering_mark import numbering_mark
from dentasam.data.formats.files.passed_over import Tally, error_or_skip
from dentasam.data.formats.interface import Contents, ReadOptions, SourceRecord, WriteFile
from dentasam.data.formats.sources.drawn_size import checked_size
from dentasam.data.formats.sources.glance import first_text, some_files
from dentasam.data.formats.sources.images import ImageNotFound, ImageTaken, SourceImage, SourceImages
from dentasam.data.formats.tooth_names import declared
from dentasam.data.images.kind import FOREIGN_SUFFIXES, IMAGE_SUFFIXES
from dentasam.data.masks import rle
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.data.teeth.numbering import MARK
from dentasam.errors import DatasetError

TASKS, CONFIG = "tasks.json", "labeling_config.xml"
DRAW_AGAIN = "delete the region or draw it again"
EXPORT_AGAIN = "export the project again as JSON"
# Label Studio puts eight digits before the name of an uploaded file.
_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)", re.DOTALL)
# XML has no place for these, escaped or not.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def recognises(source: Path) -> bool:
    """A JSON whose first task has annotations, or a folder with such a file."""
    if source.is_dir():
        return any(map(recognises, some_files(source, ".json")))
    text = first_text(source).lstrip("\ufeff \n\r\t")
    return (
        text.startswith("[")
        and '"data"' in text
        and any(key in text for key in ('"annotations"', '"completions"', '"predictions"'))
    )


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Lists the annotations of all tasks; their regions are read when each is loaded."""
    path = _json_in(source) if source.is_dir() else source
    tasks = read_json(path)
    if not isinstance(tasks, list):
        raise DatasetError(f"{path} is not a list of tasks of Label Studio; {EXPORT_AGAIN}")
    tasks.reverse()
    tally, records, taken = Tally(options.report), list[SourceRecord](), set[str]()
    marks = set[object]()
    for number in range(len(tasks)):
        task = tasks.pop()  # what is kept of it is packed, in a tenth of the memory
        where = (
            f"task {task['id']}" if isinstance(task, dict) and type(task.get("id")) is int else f"task no. {number}"
        )
        try:
            annotations = _annotations_of(task, tally)
        except ValueError as error:
            error_or_skip(options, f"{path}: {where}: {error}")
            continue
        names = tuple(dict.fromkeys(_names_of(task)))
        if annotations:
            images.expect(*names, annotation=path, called=_called(names))
        marks.add(task["data"].get(MARK) if type(task["data"].get(MARK)) is str else None)
        for place, annotation in enumerate(annotations):
            name = f"{where}, annotation {annotation['id']}" if type(annotation.get("id")) is int else where
            if name in taken:
                name = f"{name} ({number}, {place})"
            taken.add(name)
            packed = zlib.compress(json.dumps(annotation).encode(), 1)
            records.append(SourceRecord(name, partial(_load, path, name, names, packed, images, options, tally)))
    return Contents(tally.with_last(records), declared(marks.pop()) if len(marks) == 1 else None)


def write_annotations(dataset: Dataset, write: WriteFile) -> tuple[str, ...]:
    """Writes `tasks.json` and `labeling_config.xml`."""
    mark = numbering_mark(dataset)
    tasks = BytesIO(b"[")
    tasks.seek(1)
    for number, image in enumerate(dataset.images):
        task = {"data": {"image": _address(image), **mark}, "annotations": [_annotation(image)]}
        tasks.write(b", " * (number > 0) + json.dumps(task).encode())
    tasks.write(b"]")
    # The whole text is in memory once: `getvalue` makes no copy of it.
    write(TASKS, tasks.getvalue())
    labels = dict.fromkeys(record.category for image in dataset.images for record in image.objects)
    tags = dict.fromkeys(tag for image in dataset.images for tag in image.tags)
    write(CONFIG, _config(labels, tags).encode())
    return (*crowd_notes(dataset), *dicom_notes(dataset, "Label Studio"))


def _address(image: ImageRecord) -> str:
    return f"/data/local-files/?d={quote(image.file_name)}"


def _annotation(image: ImageRecord) -> dict[str, Any]:
    size = {"original_width": image.width, "original_height": image.height, "image_rotation": 0}
    result: list[dict[str, Any]] = []
    names: dict[str, Any]
    for record, mask in zip(image.objects, image.each_mask(), strict=True):
        value = {"format": "rle", "rle": encode(mask), "brushlabels": [record.category]}
        names = {"from_name": "label", "to_name": "image", "type": "brushlabels"}
        result.append({"id": f"object{record.id}", **names, **size, "value": value})
    if image.tags:
        names = {"from_name": "tags", "to_name": "image", "type": "choices"}
        result.append({"id": "tags", **names, "value": {"choices": list(image.tags)}})
    return {"result": result}


def _config(labels: dict[str, None], tags: dict[str, None]) -> str:
    """The labeling configuration under which the tasks can be imported."""

    def entries(kind: str, names: dict[str, None]) -> str:
        return "".join(f"    <{kind} value={quoteattr(_CONTROL.sub(' ', name))}/>\n" for name in names)

    brushes = f'  <BrushLabels name="label" toName="image">\n{entries("Label", labels)}  </BrushLabels>\n'
    choices = f'  <Choices name="tags" toName="image" choice="multiple">\n{entries("Choice", tags)}  </Choices>\n'
    image = '  <Image name="image" value="$image" zoom="true" zoomControl="true"/>\n'
    return f"<View>\n{image}{brushes if labels else ''}{choices if tags else ''}</View>\n"


def _json_in(folder: Path) -> Path:
    """The only export in a folder, or in its subfolders where it holds none itself."""
    found: list[Path] = []
    for pattern in ("*.json", "*/*.json"):
        found = found or [path for path in sorted(folder.glob(pattern)) if path.is_file() and recognises(path)]
    if len(found) != 1:
        what = (
            f"several JSON exports of Label Studio ({found[0].name}, {found[1].name})" if found else "no JSON export"
        )
        raise DatasetError(f"{folder} holds {what}; name the JSON itself")
    return found[0]


def _annotations_of(task: Any, tally: Tally) -> list[dict[str, Any]]:
    """The annotations of a task that count. Raises ValueError with the reason and the fix."""
    if not isinstance(task, dict):
        raise ValueError(f"it is not a JSON object; {EXPORT_AGAIN}")
    # In 2020 annotations were called completions.
    given = task.get("annotations", task.get("completions"))
    if given is None and "predictions" not in task and "data" not in task:
        raise ValueError("it has no annotations, as in JSON-MIN; export the project as JSON")
    if not isinstance(task.get("data"), dict):
        raise ValueError(f"it has no data; {EXPORT_AGAIN}")
    if given is None:
        given = []
    if not isinstance(given, list) or not all(
        isinstance(each, dict) and isinstance(each.get("result"), list) for each in given
    ):
        raise ValueError(f"its annotations are not a list with results; {EXPORT_AGAIN}")
    for key in ("predictions", "drafts"):
        if isinstance(task.get(key), list):
            tally.add(f"{key} left out, since they are not annotations", len(task[key]))
    kept = [each for each in given if each.get("was_cancelled") is not True]
    tally.add("annotations left out, since they were cancelled", len(given) - len(kept))
    tally.add("tasks left out, since they have no annotation", int(not kept))
    return kept


def _load(
    path: Path,
    where: str,
    names: tuple[str, ...],
    packed: bytes,
    images: SourceImages,
    options: ReadOptions,
    tally: Tally,
) -> ImageRecord:
    where = f"{path}: {where}"
    image = _image_of(path, where, names, images)
    annotation = json.loads(zlib.decompress(packed))
    try:
        result = result_of(annotation["result"])
    except ValueError as error:
        raise DatasetError(f"{where}: {error}; {EXPORT_AGAIN}") from None
    for kind in result.others:
        tally.add(f"entries of the type {kind!r:.40} left out")
    height, width = _checked(image, result.regions, where)
    objects: list[ObjectRecord] = []
    for region in result.regions:
        if region.kind not in SHAPES:
            tally.add(f"regions of the type {region.kind or 'labels'} left out, since they have no area")
            continue
        if not region.labels:
            tally.add("regions left out, since they have no label")
            continue
        tally.add("regions with several labels, an object for each of them", int(len(region.labels) > 1))
        try:
            mask = mask_of_region(region, height, width)
            if not mask.bits.any():
                raise ValueError("it covers no pixel of the image")
        except ValueError as error:
            label = f"{region.labels[0]!r:.40}"
            error_or_skip(options, f"{where}, region {region.number} ({label}): {error}; {DRAW_AGAIN}")
            continue
        runs = rle.encode_box(mask.x, mask.y, mask.bits, height, width)
        objects += [ObjectRecord.from_runs(0, label, runs, height, width) for label in region.labels]
    tags = tuple(dict.fromkeys(result.tags))
    return ImageRecord(
        0, image.path, image.name, width, height, tags, tuple(objects), extra=_annotator_of(annotation)
    )


def _checked(image: SourceImage, regions: list[Region], where: str) -> tuple[int, int]:
    """Height and width of the image, which must be those of its regions: exactly those of brushes."""
    try:
        drawn = {size_from(*size) for size in sizes_in(regions)} - {None}
    except ValueError as error:
        raise DatasetError(f"{where}: {error}; {EXPORT_AGAIN}") from None
    if len(drawn) > 1:
        raise DatasetError(f"{where}: its regions were drawn on images of several sizes; {EXPORT_AGAIN}")
    relative = not any(region.kind in PIXELS for region in regions)
    if not any(region.kind for region in regions):
        return image.size
    return checked_size(image, drawn.pop() if drawn else None, where, relative)


def _annotator_of(annotation: dict[str, Any]) -> dict[str, Any]:
    by = annotation.get("completed_by")
    if isinstance(by, dict):
        by = next((by[key] for key in ("email", "username", "id") if type(by.get(key)) in (str, int)), None)
    return {"annotator": by} if type(by) in (str, int) else {}


def _image_of(path: Path, where: str, names: tuple[str, ...], images: SourceImages) -> SourceImage:
    """The image of a task, by any of its names. Raises ImageNotFound where there is none."""
    first: ImageNotFound | None = None
    for name in names:
        try:
            return images.find(name, path, _called(names))
        except ImageNotFound as error:
            first = error if first is None or isinstance(error, ImageTaken) else first
    if first is None:
        raise DatasetError(f"{where}: its data name no image; {EXPORT_AGAIN}")
    raise ImageNotFound(str(first).replace(f"{path}: ", f"{where}: ", 1))


def _called(names: tuple[str, ...]) -> str:
    """The name by which an image is told from others: two uploads of one file name are two images."""
    written = unquote(names[0]) if names else ""
    own = PurePosixPath(written).name
    return own if _UPLOADED.fullmatch(own) else written


def _names_of(task: dict[str, Any]) -> Iterator[str]:
    """The names that the image of a task may have, the likeliest first."""
    data = task["data"]
    texts = {key: value for key, value in data.items() if isinstance(value, str) and value and key != MARK}
    given = [texts[key] for key in ("image", "img", "image_url", "url") if key in texts]
    given += [text for text in texts.values() if _looks_like_image(text) and text not in given]
    if not given and len(texts) == 1:
        given = list(texts.values())
    if isinstance(task.get("file_upload"), str) and task["file_upload"]:
        given.append(task["file_upload"])
    for address in given:
        path = _path_of(address)
        for name in dict.fromkeys((path, unquote(path))):
            yield name
            uploaded = _UPLOADED.fullmatch(PurePosixPath(name).name)
            if uploaded:
                yield uploaded[1]


def _looks_like_image(address: str) -> bool:
    return PurePosixPath(_path_of(address)).suffix.lower() in IMAGE_SUFFIXES | FOREIGN_SUFFIXES


def _path_of(address: str) -> str:
    """The path in an address: of a local file, an upload, a cloud storage or the web."""
    try:
        parts = urlsplit(address)
        query = parse_qs(parts.query.replace("+", "%2B"))
    except ValueError:
        return address
    if "local-files" in parts.path and "d" in query:
        return query["d"][0]
    if "fileuri" in query:
        try:
            return urlsplit(base64.b64decode(query["fileuri"][0] + "==").decode()).path.lstrip("/")
        except (binascii.Error, ValueError):
            return address
    if parts.scheme in ("http", "https", "s3", "gs", "azure-blob", "file") or parts.path.startswith("/data/"):
        return parts.path.lstrip("/")
    return address
