"""STS-Tooth 2D: panoramics of the challenges on semi-supervised segmentation of teeth, MICCAI 2023 and 2024.

STS-2D-Tooth, https://doi.org/10.5281/zenodo.10597292, doi 10.1038/s41597-024-04306-9, CC BY 4.0: 900 masks of 640x320
pixels, of all teeth as one. The object `teeth` has no numbers, and neighbours are not told apart::

    STS-2D-Tooth/A-PXI/Labeled/Image/NAME.png    adults
    STS-2D-Tooth/A-PXI/Labeled/Mask/NAME.png     1 bit; also NAME_mask.png
    STS-2D-Tooth/C-PXI/Labeled/                  children, alike

STS 2024, https://www.codabench.org/competitions/3024: LabelMe files with an outline for each tooth and FDI numbers as
labels, read as the format `labelme` reads them, by the rule `centres`::

    Train-Labeled/Images/STS24_Train_Labeled_0001.jpg
    Train-Labeled/Masks/STS24_Train_Labeled_0001_Mask.json

The folder of the set, or one of those above, is read. Unlabelled images are left out. Many images are there more than
once in the set, and most are in other sets as well: compare files before one is used for a test. An empty mask is an
image without teeth.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

from dentasam.data.formats import labelme
from dentasam.data.formats.files.mask_file import read_mask, stored_size
from dentasam.data.formats.interface import Contents, ReadOptions, SourceRecord
from dentasam.data.formats.public_sets.published import PublishedSet, image_beside, mask_size_error
from dentasam.data.formats.sources.images import SourceImages
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.data.teeth.numbering import Numbering

STS2D = PublishedSet(
    "STS-2D-Tooth",
    "https://doi.org/10.5281/zenodo.10597292",
    "the folder STS-2D-Tooth, or Train-Labeled with Images and Masks (STS 2024)",
)
SUBSETS = ("A-PXI/Labeled", "C-PXI/Labeled")
ABOVE = ("", "STS-2D-Tooth", "SD-Tooth/STS-2D-Tooth")
OUTLINES = "Train-Labeled"
_MARK = re.compile(r"[-_ ]?mask$", re.IGNORECASE)


def recognises(source: Path) -> bool:
    """A folder with `Labeled/Image` and `Labeled/Mask` of adults or children, or with the LabelMe files of 2024."""
    return bool(_subsets(source)) or _outlines(source) is not None


def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
    """Reads the masks of all teeth, or the outlines of 2024."""
    outlines = _outlines(source)
    if outlines is not None:
        contents = labelme.read(outlines, images, options)
        return replace(contents, numbering=Numbering.fdi)
    subsets = _subsets(source)
    if not subsets and (source / "Image").is_dir() and (source / "Mask").is_dir():
        subsets = [source]
    records = [
        SourceRecord(mask.relative_to(source).as_posix(), partial(_load, folder, mask, images))
        for folder in subsets
        for mask in sorted((folder / "Mask").glob("*.png"))
    ]
    if not records:
        raise STS2D.refusal(source, "it holds no masks in Labeled/Mask")
    options.report("the masks of STS-2D-Tooth are of all teeth as one, without numbers")
    return Contents(records, Numbering.fdi)


def _subsets(source: Path) -> list[Path]:
    places = [source / above / subset for above in ABOVE for subset in SUBSETS] + [source / "Labeled"]
    return [place for place in places if (place / "Image").is_dir() and (place / "Mask").is_dir()]


def _outlines(source: Path) -> Path | None:
    """The folder with `Images` and `Masks` of 2024, whose masks are JSON."""
    for place in (source, source / OUTLINES):
        if (place / "Images").is_dir() and next((place / "Masks").glob("*_Mask.json"), None) is not None:
            return place
    return None


def _load(folder: Path, mask: Path, images: SourceImages) -> ImageRecord:
    image = image_beside(images, folder / "Image", _MARK.sub("", mask.stem) or mask.stem, mask)
    height, width = image.size
    size = stored_size(mask)
    if size != (height, width):
        raise mask_size_error(mask, size, image, STS2D)
    drawn, _ = read_mask(mask)
    objects = (ObjectRecord.from_mask(0, "teeth", drawn),) if drawn.any() else ()
    return ImageRecord(0, image.path, image.name, width, height, (), objects)
