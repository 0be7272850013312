"""UFBA-425: 425 panoramics of the UFBA-UESC Dental Images set with a mask for each permanent tooth.

https://doi.org/10.6084/m9.figshare.29827475; the images are of https://github.com/IvisionLab/dental-image. For the
licence see there. The archives of the record lie unpacked side by side, with or without a second folder of the same
name inside::

    polygon_masks/cate1-00029_11.ome.tiff                 a mask for each tooth, in any subfolder; not 0 is the tooth
    segmentation_xrays/cate1-00029….jpg                   the images that the masks fit
    numbering_xrays/cate1-00029_jpg.rf.HASH.jpg           images for the boxes: taken where the others are missing
    boundinng_boxes/, metadata.csv                        boxes, not read

The last two digits of a mask's name are its FDI number, 11 to 48; deciduous teeth have no masks. The number behind
`cate` becomes tags: restoration, appliance, implant, missing-teeth, more-than-32-teeth.

The set is published squeezed to squares of 512x512 pixels. Images and masks are kept so, which is reported: the
aspect of the radiographs, about 904x512, is lost. An image of another size than its masks is refused; nothing is
resized. There are no polygons.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from dentasam.data.formats.files.passed_over import error_or_skip
from dentasam.data.formats.interface import Contents, ReadOptions, SourceRecord
from dentasam.data.formats.public_sets.published import PublishedSet, mask_size_error
from dentasam.data.formats.sources.images import ImageNotFound, SourceImage, SourceImages
from dentasam.data.images.raster.tiff import read_tiff
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.data.teeth.numbering import Numbering

MASKS, PREFERRED = "polygon_masks", "segmentation_xrays"
UFBA425 = PublishedSet(
    "UFBA-425",
    "https://doi.org/10.6084/m9.figshare.29827475",
    f"the folder with {MASKS} (IMAGE_TOOTH.ome.tiff) and {PREFERRED}",
)
TAGS = {
    1: ("restoration", "appliance"),
    2: ("restoration",),
    3: ("appliance",),
    5: ("implant",),
    6: ("more-than-32-teeth",),
    7: ("restoration", "appliance", "missing-teeth"),
    8: ("restoration", "missing-teeth"),
    9: ("appliance", "missing-teeth"),
    10: ("missing-teeth",),
}
_MASK = re.compile(r"(?P<image>.+)_(?P<tooth>[1-4][1-8])(?:\.ome)?\.tiff?", re.IGNORECASE)
# What the tool that exported the images appended to their names.
_EXPORTED = re.compile(r"_jpe?g\.rf\.[0-9a-z]+$", re.IGNORECASE)
_KIND = re.compile(r"cate(\d+)-", re.IGNORECASE | re.ASCII)


def recognises(source: Path) -> bool:
    """A folder with `polygon_masks` beside one of the set's folders of images."""
    return (source / MASKS).is_dir() and any((source / name).is_dir() for name in (PREFERRED, "numbering_xrays"))


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Lists the masks by image; they are read when an image is loaded."""
    folder = source / MASKS if (source / MASKS).is_dir() else source
    masks: dict[str, dict[str, Path]] = defaultdict(dict)
    others = []
    for path in sorted(folder.rglob("*.tif*")) if source.is_dir() else ():
        match = _MASK.fullmatch(path.name)
        if match is None or match["tooth"] in masks[match["image"]]:
            others.append(path.name)
        else:
            masks[match["image"]][match["tooth"]] = path
    found = {name: teeth for name, teeth in masks.items() if teeth}
    if not found:
        raise UFBA425.refusal(source, "it holds no masks named IMAGE_TOOTH.ome.tiff")
    if others:
        options.report(f"{len(others)} masks left out, which are not of one tooth 11-48: {others[0]:.80}")
    options.report(
        "UFBA-425 is published squeezed to 512x512: images and masks are kept so, and the aspect of the radiographs "
        "(about 904x512) is lost"
    )
    by_name = _by_name(images)
    records = [
        SourceRecord(f"{MASKS}/{name}", partial(_load, name, teeth, by_name, images.place, options))
        for name, teeth in found.items()
    ]
    return Contents(records, Numbering.fdi)


def _by_name(images: SourceImages) -> dict[str, list[SourceImage]]:
    """The images by their names before export, those that the masks were drawn on first."""
    found: dict[str, list[SourceImage]] = defaultdict(list)
    for image in images.all():
        path = PurePosixPath(image.name)
        if path.parts[0] != MASKS:
            found[_EXPORTED.sub("", path.stem).lower()].append(image)
    for same in found.values():
        same.sort(key=lambda image: PREFERRED not in PurePosixPath(image.name).parts)
    return found


def _load(
    name: str, teeth: dict[str, Path], by_name: dict[str, list[SourceImage]], place: str, options: ReadOptions
) -> ImageRecord:
    candidates = by_name.get(name.lower(), [])
    if not candidates:
        what = f"its image {name!r:.80} is not in {place}"
        raise ImageNotFound(f"{next(iter(teeth.values()))}: {what}; put the folder {PREFERRED} there")
    masks = {tooth: read_tiff(path)[0] > 0 for tooth, path in teeth.items()}
    sizes = {mask.shape for mask in masks.values()}
    image = next((each for each in candidates if {each.size} == sizes), candidates[0])
    height, width = image.size
    objects: list[ObjectRecord] = []
    for tooth, mask in masks.items():
        if mask.shape != (height, width):
            raise mask_size_error(teeth[tooth], mask.shape, image, UFBA425)
        if not mask.any():
            error_or_skip(options, f"{teeth[tooth]}: the mask is empty; delete the file")
            continue
        objects.append(ObjectRecord.from_mask(0, tooth, np.asarray(mask)))
    kind = _KIND.match(name)
    tags = TAGS.get(int(kind[1]), ()) if kind is not None and len(kind[1]) < 3 else ()
    return ImageRecord(0, image.path, image.name, width, height, tags, tuple(objects))
