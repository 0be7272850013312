"""CVAT for images 1.1: `annotations.xml` and the images under `images/`, as CVAT exports a job, task or project.

Masks, polygons, boxes and ellipses become objects, by the rule of pixel corners (see `codecs.cvat_shapes`). Tags of
an image become its tags. Left out, with a line that counts them, are polylines, points, cuboids, skeletons and the
attributes of labels. `group_id`, `source`, `occluded` and `z_order` have no meaning here: shapes of one group stay
objects of their own. Of several annotations of one image each becomes an image of the dataset. CVAT for video lists
shapes by tracks in place of images, and is refused.

CVAT turns images by their EXIF orientation: an image with such a tag is refused with the reason, unless the size in
the XML says that its shapes were drawn on the picture as stored.

Written are masks, without loss. `<numbering>` in `<meta>`, which CVAT passes over, says that teeth have FDI numbers.
"""

from __future__ import annotations

import colorsys
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from dentasam.data.dataset import Dataset
from dentasam.data.formats.codecs.cvat_shapes import SHAPES, mask_attributes, shape_mask
from dentasam.data.formats.files.folders import crowd_notes, inner_name
from dentasam.data.formats.files.numbering_mark import numbering_mark
from dentasam.data.formats.interface import Contents, ReadOptions, SourceRecord, WriteFile
from dentasam.data.formats.sources.drawn_size import checked_size
from dentasam.data.formats.sources.glance import first_text
from dentasam.data.formats.sources.images import SourceImages
from dentasam.data.formats.tooth_names import declared
from dentasam.data.links import check_no_link_out
from dentasam.data.masks import rle
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.data.teeth.numbering import Numbering
from dentasam.documents.values import is_digits, whole_in
from dentasam.errors import DatasetError

NAME, IMAGES = "annotations.xml", "images"
MAX_DIGITS = 9
EXPORT_AGAIN = "export it from CVAT again as 'CVAT for images 1.1'"
DRAW_AGAIN = "draw it again or delete it"
# What XML 1.0 has no way to write.
UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def recognises(source: Path) -> bool:
    """An XML whose root is `annotations`, with a version of CVAT, images or tracks; or a folder with one."""
    path = _xml_in(source) if source.is_dir() else source
    return path is not None and _looks_like_cvat(path)


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Reads the XML once. The shapes of an image are kept packed, and drawn when it is loaded."""
    path = _xml_in(source) if source.is_dir() else source
    if path is None:
        raise DatasetError(f"{source} holds no {NAME}, or several XML files; name the file itself")
    listing = _Listing()
    records: list[SourceRecord] = []
    inner = images.within(IMAGES)
    place = inner if len(inner) else images
    for number, element in enumerate(_images_of(path, listing), start=1):
        name = element.get("name") or ""
        place.expect(name.removeprefix(f"{IMAGES}/"), annotation=path)
        where = f"{path}, image {number} ({name!r:.100})"
        shapes = [(str(child.tag), dict(child.attrib)) for child in element]
        packed = zlib.compress(json.dumps([dict(element.attrib), shapes]).encode(), 1)
        records.append(SourceRecord(where, partial(_load, path, where, packed, place, options.skip_bad)))
    for line in listing.lines():
        options.report(line)
    return Contents(records, listing.numbering)


def write_annotations(dataset: Dataset, write: WriteFile) -> tuple[str, ...]:
    """Writes `annotations.xml`, every object as a mask. Raises DatasetError for a name that XML cannot hold."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "  <version>1.1</version>", *_meta(dataset)]
    for index, image in enumerate(dataset.images):
        size = f'width="{image.width}" height="{image.height}"'
        lines.append(f'  <image id="{index}" name={_quoted(dataset, inner_name(image))} {size}>')
        for record, mask in zip(image.objects, image.boxed_masks(), strict=True):
            attributes = {"label": record.category, "source": "manual", "occluded": "0", **mask_attributes(mask)}
            written = " ".join(f"{name}={_quoted(dataset, value)}" for name, value in attributes.items())
            lines.append(f'    <mask {written} z_order="0"></mask>')
        lines.extend(f'    <tag label={_quoted(dataset, tag)} source="manual"></tag>' for tag in image.tags)
        lines.append("  </image>")
    write(NAME, "\n".join([*lines, "</annotations>", ""]).encode())
    return crowd_notes(dataset)


@dataclass
class _Listing:
    """What an XML says beside its images."""

    numbering: Numbering | None = None
    passed_over: Counter[str] = field(default_factory=Counter)
    attributes: Counter[str] = field(default_factory=Counter)

    def lines(self) -> Iterator[str]:
        for kind, count in self.passed_over.items():
            yield f"shapes without an area passed over: {count} {kind:.40}; draw masks where they are needed"
        if self.attributes:
            names = ", ".join(f"{name!r:.40}" for name in list(self.attributes)[:8])
            yield f"attributes of labels passed over: {self.attributes.total()} ({names}); objects keep their labels"


def _xml_in(folder: Path) -> Path | None:
    if (folder / NAME).is_file():
        return folder / NAME
    found = [path for path in sorted(folder.glob("*.xml")) if path.is_file()]
    return found[0] if len(found) == 1 and _looks_like_cvat(found[0]) else None


def _looks_like_cvat(path: Path) -> bool:
    text = first_text(path, (".xml",)).replace("\0", "")
    return "<annotations>" in text and any(mark in text for mark in ("<version>1.", "<image ", "<track "))


def _images_of(path: Path, listing: _Listing) -> Iterator[Any]:
    """The `image` elements, one in memory at a time. Raises DatasetError for anything but CVAT for images."""
    check_no_link_out(path)
    root, depth = None, 0
    try:
        for event, element in iterparse(str(path), events=("start", "end")):
            depth += 1 if event == "start" else -1
            if root is None:
                root = element
                if root.tag != "annotations":
                    raise DatasetError(f"{path} is not from CVAT (its root is {root.tag!r:.40}); {EXPORT_AGAIN}")
            elif event == "start" and depth == 2 and element.tag == "track":
                raise DatasetError(f"{path} is CVAT for video, which lists tracks; {EXPORT_AGAIN}")
            elif event == "end" and depth == 1:
                if element.tag == "image":
                    _count(element, listing)
                    yield element
                elif element.tag == "meta":
                    listing.numbering = declared(element.findtext("numbering"))
                root.clear()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}); check the path and its permissions") from None
    except DefusedXmlException:
        raise DatasetError(f"{path} defines entities, which are not read; {EXPORT_AGAIN}") from None
    except (ParseError, LookupError, ValueError) as error:
        raise DatasetError(f"{path} is not whole XML ({error!s:.80}); {EXPORT_AGAIN}") from None


def _count(element: Any, listing: _Listing) -> None:
    """Counts what is not read in an image."""
    for child in element:
        if child.tag not in (*SHAPES, "tag"):
            listing.passed_over[str(child.tag)] += 1
        listing.attributes.update(each.get("name") or "" for each in child if each.tag == "attribute")


def _load(
    path: Path, where: str, packed: bytes, images: SourceImages, skip_bad: Callable[[str], None] | None
) -> ImageRecord:
    attributes, shapes = json.loads(zlib.decompress(packed))
    if not attributes.get("name"):
        raise DatasetError(f"{where}: it has no name; {EXPORT_AGAIN}")
    image = images.find(attributes["name"].removeprefix(f"{IMAGES}/"), path)
    height, width = checked_size(image, _drawn_size(where, attributes), where)
    tags: dict[str, None] = {}
    objects: list[ObjectRecord] = []
    for number, (kind, given) in enumerate(shapes, start=1):
        if kind not in (*SHAPES, "tag"):
            continue
        label = given.get("label")
        try:
            if not label:
                raise ValueError("it has no label")
            if kind == "tag":
                tags[label] = None
                continue
            runs = rle.encode_box(*shape_mask(kind, given, height, width), height, width)
        except ValueError as error:
            line = f"{where}: annotation {number} ({kind} {label!r:.40}): {error}; {DRAW_AGAIN}"
            if skip_bad is None:
                raise DatasetError(line) from None
            skip_bad(line)
            continue
        objects.append(ObjectRecord.from_runs(0, label, runs, height, width))
    return ImageRecord(0, image.path, image.name, width, height, tuple(tags), tuple(objects))


def _drawn_size(where: str, attributes: dict[str, str]) -> tuple[int, int] | None:
    """Height and width of an image in the XML, if it gives them. Raises DatasetError where they are no numbers."""
    given = attributes.get("height"), attributes.get("width")
    if given == (None, None):
        return None
    try:
        long = next((str(length) for length in given if len(str(length)) > MAX_DIGITS), None)
        if long is not None and is_digits(long):
            cut = f"{long[:MAX_DIGITS]}…"
            raise DatasetError(f"{where}: its size of {cut} pixels is not that of an image; {EXPORT_AGAIN}")
        height, width = (whole_in(str(length)) for length in given)
    except ValueError:
        raise DatasetError(f"{where}: its width and height are not whole numbers; {EXPORT_AGAIN}") from None
    return height, width


def _meta(dataset: Dataset) -> Iterator[str]:
    tags = dict.fromkeys(tag for image in dataset.images for tag in image.tags)
    named = [category.name for category in dataset.categories]
    used = (record.category for image in dataset.images for record in image.objects)
    labels = dict.fromkeys((*named, *used), "any")
    labels = dict.fromkeys(tags, "tag") | labels
    yield "  <meta>"
    for key, value in numbering_mark(dataset).items():
        yield f"    <{key}>{value}</{key}>"
    yield "    <task>"
    yield f"      <size>{len(dataset.images)}</size>"
    yield "      <mode>annotation</mode>"
    yield "      <labels>"
    for index, (name, kind) in enumerate(labels.items()):
        shown = escape(_writable(dataset, name), {"\r": "&#13;"})
        yield f"        <label><name>{shown}</name><color>{_colour(index)}</color><type>{kind}</type></label>"
    yield "      </labels>"
    yield "    </task>"
    yield "  </meta>"


def _colour(index: int) -> str:
    """A colour for each label, neighbours far apart: hues by the golden section."""
    channels = colorsys.hsv_to_rgb(index * 0.618034 % 1, 0.65, 0.95)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)


def _quoted(dataset: Dataset, text: str) -> str:
    return quoteattr(_writable(dataset, text))


def _writable(dataset: Dataset, text: str) -> str:
    if UNWRITABLE.search(text):
        raise DatasetError(f"{dataset.path}: XML cannot hold the name {text!r:.60}; rename it")
    return text
