"""The objects of an image with their masks in boxes, as every check of masks takes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dentasam.data.coco.problem import Problem, Report
from dentasam.data.masks import rle
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.data.teeth.category_kind import is_part
from dentasam.errors import DatasetError
from dentasam.model.chart.dentition import NUMBERS
from dentasam.model.windows.boxed_mask import BoxedMask

FDI_NUMBERS = frozenset(NUMBERS)
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class BoxedObject:
    """An object of which the mask could be read. area: its pixels."""

    record: ObjectRecord
    mask: BoxedMask
    area: int

    @property
    def category(self) -> str:
        return self.record.category

    @property
    def is_tooth(self) -> bool:
        """Whether its category is an FDI number."""
        return self.category in FDI_NUMBERS

    @property
    def is_upper(self) -> bool:
        """Whether its FDI number is one of the upper jaw."""
        return self.category[0] in "1256"

    @property
    def is_part(self) -> bool:
        """Whether it lies in or on a tooth (`category_kind`)."""
        return is_part(self.category)

    @property
    def box(self) -> Box:
        """x, y, width, height in pixels."""
        height, width = self.mask.bits.shape
        return float(self.mask.x), float(self.mask.y), float(width), float(height)

    @property
    def centre(self) -> tuple[float, float]:
        """x, y of the middle of its box."""
        x, y, width, height = self.box
        return x + width / 2, y + height / 2


def boxed_objects(image: ImageRecord, report: Report) -> list[BoxedObject]:
    """The image's objects; an error is reported for each mask that cannot be read."""
    found = []
    for record in image.objects:
        try:
            runs = record.runs(image.height, image.width)
        except DatasetError as error:
            what, _, fix = str(error).partition(": ")[2].rpartition("; ")
            report(Problem(image.id, record.id, what, fix))
            continue
        found.append(BoxedObject(record, BoxedMask(*rle.decode_box(runs, image.height)), rle.area_of(runs)))
    return found


def pairs_with_touching_boxes(objects: Sequence[BoxedObject]) -> Iterator[tuple[BoxedObject, BoxedObject]]:
    """Pairs of which the boxes overlap or touch, each once, in the order of the objects."""
    corners = np.array([(x, y, x + width, y + height) for x, y, width, height in (item.box for item in objects)])
    for place in range(len(objects) - 1):
        own, others = corners[place], corners[place + 1 :]
        touches = (others[:, :2] <= own[2:]).all(axis=1) & (own[:2] <= others[:, 2:]).all(axis=1)
        for other in np.flatnonzero(touches):
            yield objects[place], objects[place + 1 + int(other)]


def common_pixels(first: BoxedMask, second: BoxedMask) -> int:
    """The number of pixels that are in both masks."""
    left, top = max(first.x, second.x), max(first.y, second.y)
    right = min(first.x + first.bits.shape[1], second.x + second.bits.shape[1])
    bottom = min(first.y + first.bits.shape[0], second.y + second.bits.shape[0])
    if right <= left or bottom <= top:
        return 0
    parts = [mask.bits[top - mask.y : bottom - mask.y, left - mask.x : right - mask.x] for mask in (first, second)]
    return int(np.count_nonzero(parts[0] & parts[1]))
