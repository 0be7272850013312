"""One image of a dataset and its annotated objects; pixels are read and masks decoded on demand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from dentasam.data.images.orientation import wrong_size
from dentasam.data.images.read import read_header, read_image
from dentasam.data.masks import rle, segmentation
from dentasam.errors import DatasetError
from dentasam.model.windows.boxed_mask import BoxedMask

# One for all records: a dataset may hold hundreds of thousands.
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Category:
    """A kind of object. The name of a tooth is its FDI number."""

    id: int
    name: str
    supercategory: str = ""


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """One annotated structure. `segmentation` as in COCO: polygons, or RLE with string or list counts.

    `bbox` is x, y, width, height and `area` the number of pixels, both in image pixels. extra: further keys of the
    annotation, which are written to COCO, and not read from it.
    """

    id: int
    category: str
    segmentation: dict[str, Any] | list[list[float]]
    bbox: tuple[float, float, float, float]
    area: float
    extra: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)

    @staticmethod
    def from_mask(id: int, category: str, mask: np.ndarray) -> "ObjectRecord":
        """An object from its mask (H, W) bool. Raises DatasetError for an empty mask."""
        height, width = mask.shape
        return ObjectRecord.from_runs(id, category, rle.encode(np.asarray(mask, bool)), height, width)

    @staticmethod
    def from_runs(id: int, category: str, runs: np.ndarray, height: int, width: int) -> "ObjectRecord":
        """An object from the RLE runs of its mask (see `rle`). Raises DatasetError for an empty mask."""
        if rle.area_of(runs) == 0:
            raise DatasetError(f"annotation {id}: its mask is empty; {segmentation.DRAW_AGAIN}")
        coded = {"size": [height, width], "counts": rle.to_string(runs, height, width)}
        return ObjectRecord(id, category, coded, rle.box_of(runs, height), float(rle.area_of(runs)))

    def mask(self, height: int, width: int) -> np.ndarray:
        """The object's mask (height, width) bool. Raises DatasetError where it does not fit that size."""
        mask = np.zeros((height, width), bool)
        rle.decode_into(mask, self.runs(height, width))
        return mask

    def runs(self, height: int, width: int, given: np.ndarray | None = None) -> np.ndarray:
        """The RLE runs of the mask, which add up to height × width. Raises DatasetError as `mask` does.

        given: those of its compressed string, where the caller has read them already.
        """
        if given is None:
            (given,) = _string_runs((self,))
        error = segmentation.error_in(self.segmentation, height, width, given)
        if error is None:
            runs = segmentation.runs_of(self.segmentation, height, width) if given is None else given
            if rle.area_of(runs):
                return runs
            error = "its mask is empty", segmentation.DRAW_AGAIN
        raise DatasetError(f"annotation {self.id}: {error[0]}; {error[1]}")


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image: `path` is absolute, `file_name` as the dataset's JSON names it, sizes in pixels.

    crowds: regions of many objects (COCO's `iscrowd` 1). They are written again with the image, but are not
    objects: nothing trains, evaluates or shows them. extra: further keys of the image, which are written to COCO, and
    not read from it.
    """

    id: int
    path: Path
    file_name: str
    width: int
    height: int
    tags: tuple[str, ...] = ()
    objects: tuple[ObjectRecord, ...] = ()
    crowds: tuple[ObjectRecord, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)

    def renamed(self, names: Mapping[str, str]) -> "ImageRecord":
        """The image with other categories of its objects and crowds; those that `names` does not hold stay."""

        def of(records: tuple[ObjectRecord, ...]) -> tuple[ObjectRecord, ...]:
            return tuple(replace(record, category=names.get(record.category, record.category)) for record in records)

        return replace(self, objects=of(self.objects), crowds=of(self.crowds))

    def read(self) -> np.ndarray:
        """The pixels (height, width), uint8 or uint16.

        Raises ImageError where the file cannot be read, DatasetError where its size is not the dataset's.
        """
        image = read_image(self.path)
        if image.shape != (self.height, self.width):
            wanted, orientation = (self.height, self.width), read_header(self.path).orientation
            what, fix = wrong_size(f"image {self.id}", image.shape, wanted, orientation)
            raise DatasetError(f"{self.path}: {what}; {fix}")
        return image

    def each_mask(self) -> Iterator[np.ndarray]:
        """The objects' masks (height, width) bool, one at a time, in the order of `objects`.

        Raises DatasetError naming the image and the annotation that cannot be decoded.
        """
        for record in self.objects:
            mask = np.zeros((self.height, self.width), bool)
            rle.decode_into(mask, self._runs(record))
            yield mask

    def masks(self) -> np.ndarray:
        """The objects' masks (P, height, width) bool, in the order of `objects`; they may overlap.

        Raises DatasetError as `each_mask`.
        """
        masks = np.zeros((len(self.objects), self.height, self.width), bool)
        for mask, runs in zip(masks, self.each_runs(), strict=True):
            rle.decode_into(mask, runs)
        return masks

    def boxed_masks(self) -> list[BoxedMask]:
        """The objects' masks, each in the smallest box around it. Raises DatasetError as `each_mask`."""
        return [BoxedMask(*rle.decode_box(runs, self.height)) for runs in self.each_runs()]

    def each_runs(self) -> list[np.ndarray]:
        """The RLE runs of the objects' masks, in the order of `objects`; their strings are read in one pass.

        Raises DatasetError as `each_mask`.
        """
        given = _string_runs(self.objects)
        return [self._runs(record, runs) for record, runs in zip(self.objects, given, strict=True)]

    def mm_per_pixel(self) -> float | None:
        """The side of a pixel in millimetres, where the image file states it (see `ImageHeader`); else None."""
        return read_header(self.path).mm_per_pixel

    def _runs(self, record: ObjectRecord, given: np.ndarray | None = None) -> np.ndarray:
        try:
            return record.runs(self.height, self.width, given)
        except DatasetError as error:
            raise DatasetError(f"image {self.id} ({self.path}), {error}") from None


def _string_runs(records: Sequence[ObjectRecord]) -> list[np.ndarray | None]:
    """For each record the runs of its compressed RLE string; None where it has none, or a malformed one."""
    strings: dict[int, str | bytes] = {}
    for place, record in enumerate(records):
        shape = record.segmentation
        counts = shape.get("counts") if isinstance(shape, Mapping) else None
        if isinstance(counts, str | bytes):
            strings[place] = counts
    runs = dict(zip(strings, rle.runs_of(list(strings.values())), strict=True))
    return [runs.get(place) for place in range(len(records))]
