"""Where training images come from: a dataset on disk, or phantoms drawn while training runs.

Both give a `Case`: the image at frame size, and for each object its coverage within its bounding box. That is about
1 MB, whatever the size of the radiograph, and can be kept in memory. For object windows a case also has the image at
its own resolution, which takes up to 8 MB more.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from dentasam.data.dataset import Dataset
from dentasam.data.phantom import CONDITIONS, generate, generate_shapes
from dentasam.errors import DatasetError
from dentasam.model.core.frame import PIXEL_MEAN, PIXEL_STD, Frame
from dentasam.training.recipe.sections import Phantoms
from dentasam.training.samples.boxed_coverage import BoxedCoverage, boxed
from dentasam.training.samples.full_image import FullImage

# Frame pixels to a cell of the mask grid: twice the logits' resolution, so that rotation costs little sharpness.
MASK_STRIDE = 2


@dataclass(frozen=True)
class Case:
    """One image in its whole frame, with its objects.

    gray: (h, w) uint16 at frame size, 257 times the gray value of 0..255.
    sha256: of the image file; empty where there is none.
    full: the image and its objects at their own resolution, for object windows; None where it was not asked for.
    """

    frame: Frame
    gray: np.ndarray
    coverages: tuple[BoxedCoverage, ...]
    categories: tuple[str, ...]
    sha256: str = ""
    full: FullImage | None = None

    @property
    def mask_grid(self) -> tuple[int, int]:
        """Height and width of the mask grid over the unpadded image."""
        height, width = self.frame.size
        return -(-height // MASK_STRIDE), -(-width // MASK_STRIDE)

    @property
    def bytes(self) -> int:
        """Memory of the case."""
        full = 0 if self.full is None else self.full.bytes
        return full + self.gray.nbytes + sum(item.coverage.nbytes for item in self.coverages)

    def image(self) -> Tensor:
        """Gray values (h, w) float32 in 0..255 at frame size."""
        return torch.from_numpy(self.gray.astype(np.float32) / 257.0)

    def coverage(self) -> Tensor:
        """Coverage of all objects on the mask grid, (P, h / 2, w / 2) float32 in 0..1."""
        planes = np.zeros((len(self.coverages), *self.mask_grid), dtype=np.uint8)
        for plane, item in zip(planes, self.coverages, strict=True):
            height, width = item.coverage.shape
            plane[item.top : item.top + height, item.left : item.left + width] = item.coverage
        return torch.from_numpy(planes).float() / 255.0


class Source(Protocol):
    """Images by index. `epoch` matters only where each epoch has different images."""

    def __len__(self) -> int: ...

    def case(self, index: int, epoch: int) -> Case: ...


class DatasetSource:
    """The images of a COCO dataset that have objects, decoded once and kept while they fit in `keep_mb`."""

    def __init__(self, dataset: Dataset, keep_mb: int = 512, full: bool = False, smooth_px: float = 0.0) -> None:
        """full: cases have their image at its own resolution, with masks smoothed by `smooth_px` (see `FullImage`).

        Raises DatasetError for a dataset without objects.
        """
        self.records = [record for record in dataset.images if record.objects]
        if not self.records:
            raise DatasetError(f"{dataset.path}: no image has an object; annotate some or name another dataset")
        self._full, self._smooth_px = full, smooth_px
        self._limit = keep_mb * 2**20
        self._kept: OrderedDict[int, Case] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self.records)

    def case(self, index: int, epoch: int = 0) -> Case:
        kept = self._kept.get(index)
        if kept is not None:
            self._kept.move_to_end(index)
            return kept
        record = self.records[index]
        case = make_case(
            record.read(),
            record.masks(),
            tuple(item.category for item in record.objects),
            hashlib.sha256(record.path.read_bytes()).hexdigest(),
            self._smooth_px if self._full else None,
        )
        self._kept[index] = case
        self._bytes += case.bytes
        while self._bytes > self._limit and self._kept:
            self._bytes -= self._kept.popitem(last=False)[1].bytes
        return case


class PhantomSource:
    """Synthetic panoramics and textured shapes, another image for each index in each epoch.

    held_out: the same images in each epoch, without shapes and different from those of training, for validation.
    full: images as large as `full_widths` of the settings says, which cases also have at that size.
    """

    def __init__(self, settings: Phantoms, seed: int, held_out: bool = False, full: bool = False) -> None:
        self.settings = settings
        self._full = full
        self._stream = (seed, int(held_out))
        self._held_out = held_out

    def __len__(self) -> int:
        return self.settings.images

    def case(self, index: int, epoch: int = 0) -> Case:
        settings = self.settings
        rng = np.random.default_rng([*self._stream, 0 if self._held_out else epoch, index])
        seed = int(rng.integers(2**31))
        shapes = rng.random() < settings.shapes_share and not self._held_out
        width, height = settings.width, settings.height
        if self._full:
            width = int(rng.integers(settings.full_widths[0], settings.full_widths[1] + 1))
            height = round(width * settings.height / settings.width)
        if shapes:
            phantom = generate_shapes(seed, width, height)
        else:
            hard = rng.random() < settings.conditions_share
            conditions = (CONDITIONS[int(rng.integers(len(CONDITIONS)))],) if hard else ()
            phantom = generate(seed, width=width, height=height, conditions=conditions)
        masks = np.stack([drawn.mask for drawn in phantom.objects])
        categories = tuple(drawn.category for drawn in phantom.objects)
        return make_case(phantom.image, masks, categories, full_smooth_px=0.0 if self._full else None)


def make_case(
    image: np.ndarray,
    masks: np.ndarray,
    categories: tuple[str, ...],
    sha256: str = "",
    full_smooth_px: float | None = None,
) -> Case:
    """A case of an image (H, W) uint8 or uint16 and masks (P, H, W) bool; objects too small to see are left out.

    full_smooth_px: for a case with its full image, how much the masks there are smoothed (see `FullImage`).
    """
    frame = Frame.of(*image.shape)
    height, width = frame.size
    gray = frame.pixels(image)[0, 0, :height, :width] * PIXEL_STD[0] + PIXEL_MEAN[0]
    coverage = (frame.coverage(masks, MASK_STRIDE).numpy() * 255.0).round().astype(np.uint8)
    planes = [boxed(plane) for plane in coverage]
    seen = [place for place, item in enumerate(planes) if item is not None]
    return Case(
        frame,
        (gray.clamp(0, 255) * 257.0).round().numpy().astype(np.uint16),
        tuple(item for item in planes if item is not None),
        tuple(categories[place] for place in seen),
        sha256,
        None if full_smooth_px is None else FullImage.of(image, masks[seen], full_smooth_px),
    )
