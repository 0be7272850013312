"""Where training images come from: a dataset on disk, or phantoms drawn while training runs.

Both give a `Case`: the image at frame size, and for each object its coverage within its bounding box. A case is about
1 MB, whatever the size of the radiograph, and can be kept in memory.
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
from dentasam.training.recipe.settings import Phantoms

# Frame pixels to a cell of the mask grid: twice the logits' resolution, so that rotation costs little sharpness.
MASK_STRIDE = 2


@dataclass(frozen=True)
class BoxedCoverage:
    """Coverage 0..255 of one object within its bounding box on the mask grid."""

    top: int
    left: int
    coverage: np.ndarray  # (h, w) uint8


@dataclass(frozen=True)
class Case:
    """One image in its whole frame, with its objects.

    gray: (h, w) uint16 at frame size, 257 times the gray value of 0..255.
    sha256: of the image file; empty where there is none.
    """

    frame: Frame
    gray: np.ndarray
    coverages: tuple[BoxedCoverage, ...]
    categories: tuple[str, ...]
    sha256: str = ""

    @property
    def mask_grid(self) -> tuple[int, int]:
        """Height and width of the mask grid over the unpadded image."""
        height, width = self.frame.size
        return -(-height // MASK_STRIDE), -(-width // MASK_STRIDE)

    @property
    def bytes(self) -> int:
        return self.gray.nbytes + sum(item.coverage.nbytes for item in self.coverages)

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

    def __init__(self, dataset: Dataset, keep_mb: int = 512) -> None:
        """Raises DatasetError for a dataset without objects."""
        self.records = [record for record in dataset.images if record.objects]
        if not self.records:
            raise DatasetError(f"{dataset.path}: no image has an object; annotate some or name another dataset")
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
        )
        self._kept[index] = case
        self._bytes += case.bytes
        while self._bytes > self._limit and self._kept:
            self._bytes -= self._kept.popitem(last=False)[1].bytes
        return case


class PhantomSource:
    """Synthetic panoramics and textured shapes, another image for each index in each epoch.

    held_out: the same images in each epoch, without shapes and different from those of training, for validation.
    """

    def __init__(self, settings: Phantoms, seed: int, held_out: bool = False) -> None:
        self.settings = settings
        self._stream = (seed, int(held_out))
        self._held_out = held_out

    def __len__(self) -> int:
        return self.settings.images

    def case(self, index: int, epoch: int = 0) -> Case:
        settings = self.settings
        rng = np.random.default_rng([*self._stream, 0 if self._held_out else epoch, index])
        seed = int(rng.integers(2**31))
        if rng.random() < settings.shapes_share and not self._held_out:
            phantom = generate_shapes(seed, settings.width, settings.height)
        else:
            hard = rng.random() < settings.conditions_share
            conditions = (CONDITIONS[int(rng.integers(len(CONDITIONS)))],) if hard else ()
            phantom = generate(seed, width=settings.width, height=settings.height, conditions=conditions)
        masks = np.stack([drawn.mask for drawn in phantom.objects])
        return make_case(phantom.image, masks, tuple(drawn.category for drawn in phantom.objects))


def make_case(image: np.ndarray, masks: np.ndarray, categories: tuple[str, ...], sha256: str = "") -> Case:
    """A case of an image (H, W) uint8 or uint16 and masks (P, H, W) bool; objects too small to see are left out."""
    frame = Frame.of(*image.shape)
    height, width = frame.size
    gray = frame.pixels(image)[0, 0, :height, :width] * PIXEL_STD[0] + PIXEL_MEAN[0]
    finer = Frame(frame.height, frame.width, frame.scale * 2, frame.rows * 2, frame.cols * 2)
    coverage = (finer.masks_to_logits(masks).numpy() * 255.0).round().astype(np.uint8)
    boxed = [_boxed(plane) for plane in coverage]
    seen = [place for place, item in enumerate(boxed) if item is not None]
    return Case(
        frame,
        (gray.clamp(0, 255) * 257.0).round().numpy().astype(np.uint16),
        tuple(item for item in boxed if item is not None),
        tuple(categories[place] for place in seen),
        sha256,
    )


def _boxed(plane: np.ndarray) -> BoxedCoverage | None:
    rows, cols = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
    if not len(rows):
        return None
    top, left = int(rows[0]), int(cols[0])
    return BoxedCoverage(top, left, plane[top : rows[-1] + 1, left : cols[-1] + 1].copy())
