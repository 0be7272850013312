"""Teeth that are much larger or smaller than those of their number are in the other images of the dataset."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dentasam.data.quality.objects.boxed_objects import BoxedObject
from dentasam.model.chart.dentition import NUMBERS

# Teeth of a number from which its usual size is known, and teeth in an image from which its own scale is.
MIN_OF_NUMBER, MIN_IN_IMAGE = 20, 5
# A tooth is out of its family where it is this many robust standard deviations away, and by this factor of area:
# the second keeps a dataset of almost equal teeth from warning of small differences.
MAX_DEVIATIONS, MIN_FACTOR = 5.0, 2.0
# Standard deviations of a normal distribution per median absolute deviation.
_PER_MAD = 1.4826
_PLACE = {number: place for place, number in enumerate(NUMBERS)}


@dataclass(frozen=True)
class OddSize:
    """A tooth out of its family. picture: its image, as given to `add`. factor: its area by the usual area."""

    picture: int
    annotation: int
    number: str
    factor: float


class Sizes:
    """The sizes of all teeth, 20 bytes each, from which `odd` tells those that are out of their family."""

    def __init__(self) -> None:
        self._picture, self._annotation = array("q"), array("q")
        self._number, self._log_area = array("b"), array("f")

    def add(self, picture: int, objects: Sequence[BoxedObject]) -> None:
        """Takes the teeth of one image."""
        for item in objects:
            if item.is_tooth:
                self._picture.append(picture)
                self._annotation.append(item.record.id)
                self._number.append(_PLACE[item.category])
                self._log_area.append(float(np.log(item.area)))

    def odd(self) -> Iterator[OddSize]:
        """The teeth out of their family, in the order of the images.

        Areas are compared as logarithms, relative to the other teeth of the image, so that neither the zoom of a
        device nor a child's jaw counts, and with medians, which a few slips do not move.
        """
        pictures, numbers = np.array(self._picture, np.int64), np.array(self._number, np.int64)
        sizes = np.array(self._log_area, np.float64)
        if not sizes.size:
            return
        usual = _medians(sizes, numbers, len(NUMBERS))
        excess = sizes - usual[numbers]
        places, image = np.unique(pictures, return_inverse=True)
        excess -= _medians(excess, image, len(places))[image]
        spread = _PER_MAD * _medians(
            np.abs(excess - _medians(excess, numbers, len(NUMBERS))[numbers]), numbers, len(NUMBERS)
        )
        known = np.bincount(numbers, minlength=len(NUMBERS))[numbers] >= MIN_OF_NUMBER
        known &= np.bincount(image)[image] >= MIN_IN_IMAGE
        far = np.abs(excess) > np.maximum(MAX_DEVIATIONS * spread[numbers], np.log(MIN_FACTOR))
        for place in np.flatnonzero(known & far):
            number = NUMBERS[numbers[place]]
            yield OddSize(int(pictures[place]), self._annotation[place], number, float(np.exp(excess[place])))


def _medians(values: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """The median of the values (n,) of each group 0 to count - 1; 0 for a group without any."""
    order = np.lexsort((values, groups))
    ends = np.cumsum(np.bincount(groups, minlength=count))
    starts = np.concatenate([[0], ends[:-1]])
    filled = ends > starts
    found = np.zeros(count)
    low, high = (starts + ends - 1) // 2, (starts + ends) // 2
    ordered = values[order]
    found[filled] = (ordered[low[filled]] + ordered[high[filled]]) / 2
    return found
