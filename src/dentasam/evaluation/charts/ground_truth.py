"""The true teeth of an image, its implants, and where a found object is neither right nor wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dentasam.data.teeth.category_kind import is_part
from dentasam.errors import DatasetError
from dentasam.model.chart.dentition import DECIDUOUS, IMPLANT, NUMBERS, PERMANENT, SUPERNUMERARY_TOOTH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dentasam.data.dataset import Dataset
    from dentasam.data.record import ImageRecord
    from dentasam.model.windows.boxed_mask import BoxedMask

# What a tooth may be called, in the order of the arches. A supernumerary tooth is one, although it has no number.
TOOTH_NAMES = (*NUMBERS, SUPERNUMERARY_TOOTH)
DENTITIONS = ("permanent", "mixed", "deciduous", "none")
# The names of a dataset's categories that an error lists.
MAX_NAMED = 8


@dataclass(frozen=True)
class TrueObject:
    """A tooth by its FDI number or as `SUPERNUMERARY_TOOTH`, or an implant as `IMPLANT`."""

    id: int
    number: str
    mask: BoxedMask


@dataclass(frozen=True)
class GroundTruth:
    """What is annotated in one image.

    objects: teeth and implants. ignored: (H, W) bool, crowds and objects of all other categories, without the pixels
    of true teeth: a found object that lies mainly there does not count at all.
    """

    objects: tuple[TrueObject, ...]
    ignored: np.ndarray


def chart_name(category: str) -> str | None:
    """What a category is called in a chart: its FDI number, `SUPERNUMERARY_TOOTH`, `IMPLANT`; None for others."""
    if category in NUMBERS:
        return category
    words = {word.removesuffix("s") for word in re.findall("[a-z]+", category.lower())}
    named = [name for name in (IMPLANT, SUPERNUMERARY_TOOTH) if name in words]
    return named[0] if named and not is_part(category) else None


def ground_truth(record: ImageRecord) -> GroundTruth:
    """The teeth and implants of an image. Raises DatasetError for a mask that cannot be decoded.

    A restoration lies within its tooth, whose pixels count. So it excuses no second object found on that tooth, while
    a pontic, which is annotated as something else and is not a tooth, does.
    """
    ignored = np.zeros((record.height, record.width), bool)
    objects = []
    for labelled, mask in zip(record.objects, record.boxed_masks(), strict=True):
        number = chart_name(labelled.category)
        if number is None:
            _pixels(ignored, mask)[...] |= mask.bits
        else:
            objects.append(TrueObject(labelled.id, number, mask))
    for crowd in record.crowds:
        ignored |= crowd.mask(record.height, record.width)
    for item in objects:
        if item.number != IMPLANT:
            _pixels(ignored, item.mask)[...] &= ~item.mask.bits
    return GroundTruth(tuple(objects), ignored)


def mainly_ignored(found: BoxedMask, truth: GroundTruth) -> bool:
    """Whether at least half of a found mask lies in what is ignored.

    It is COCO's rule for crowds at IoU 0.5: the intersection is taken over the found mask's own area.
    """
    inside = np.count_nonzero(_pixels(truth.ignored, found) & found.bits)
    return bool(2 * inside >= np.count_nonzero(found.bits) > 0)


def dentition(numbers: Iterable[str]) -> str:
    """`permanent`, `mixed` or `deciduous`, by the teeth that there are; `none` without teeth."""
    there = set(numbers)
    permanent, deciduous = bool(there.intersection(PERMANENT)), bool(there.intersection(DECIDUOUS))
    if permanent and deciduous:
        return "mixed"
    return "permanent" if permanent else "deciduous" if deciduous else "none"


def check_numbered(dataset: Dataset) -> None:
    """Raises DatasetError where no object of the dataset has an FDI number as its category."""
    names = dict.fromkeys(item.category for image in dataset.images for item in image.objects)
    if any(name in NUMBERS for name in names):
        return
    if not names:
        raise DatasetError(f"{dataset.path}: has no objects to measure; annotate some or give another file")
    shown = ", ".join(repr(name) for name in list(names)[:MAX_NAMED])
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    raise DatasetError(
        f"{dataset.path}: its categories are {shown}{more}, none of which is an FDI number of a tooth (11 to 48, "
        "51 to 85) as --chart needs; name the category of each tooth by its FDI number"
    )


def _pixels(image: np.ndarray, mask: BoxedMask) -> np.ndarray:
    """The part of an array (H, W) in a mask's box, as a view."""
    part: np.ndarray = image[mask.y : mask.y + mask.bits.shape[0], mask.x : mask.x + mask.bits.shape[1]]
    return part
