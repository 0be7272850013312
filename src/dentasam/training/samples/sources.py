"""Where training images come from: a dataset on disk, or phantoms drawn while training runs.

Either gives a `Case`: the image already at frame size and its masks as the coverage in its bounding box, so that a
case is about 1 MB, whatever the radiograph's own size, and can be kept in memory.
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
from dentasam.training.recipe import Phantoms

# Masks are kept at twice the logits' resolution, so that turning them costs little sharpness.
MASK_STRIDE = 2


@dataclass(frozen=True)
class BoxedCoverage:
    """Coverage 0..255 of one object within its bounding box on the mask grid."""

    top: int
    left: int
    coverage: np.ndarray  # (h, w) uint8


@dataclass(frozen=True)
class Case:
    """One image in its whole frame with its objects."""

    frame: Frame
    gray: np.ndarray  # (h, w) uint16 at frame size, 257 times the gray value of 0..255
    coverages: tuple[BoxedCoverage, ...]
    categories: tuple[str, ...]
    sha256: str = ""  # of the image file; empty where there is none

    @property
    def mask_grid(self) -> tuple[int, int]:
        """Height and width of the mask grid over the unpadded image."""
        height, width = self.frame.size
        return -(-height // MASK_STRIDE), -(-width // MASK_STRIDE)

    @property
    def bytes(self) -> int:
        return self.gray.nbytes + sum(boxed.coverage.nbytes for boxed in self.coverages)

    def image(self) -> Tensor:
        """Gray values (h, w) float32 in 0..255 at frame size."""
        return torch.from_numpy(self.gray.astype(np.float32) / 257.0)

    def coverage(self) -> Tensor:
        """Coverage of all objects on the mask grid, (P, h / 2, w / 2) float32 in 0..1."""
        planes = np.zeros((len(self.coverages), *self.mask_grid), dtype=np.uint8)
        for plane, boxed in zip(planes, self.coverages, strict=True):
            height, width = boxed.coverage.shape
            plane[boxed.top : boxed.top + height, boxed.left : boxed.left + width] = boxed.coverage
        return torch.from_numpy(planes).float() / 255.0


class Source(Protocol):
    """Images by index; `epoch` matters only where each epoch has images of its own."""

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
    """Synthetic panoramics and textured shapes; each index of each epoch is another image."""

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
    """A case of an image (H, W) uint8 or uint16 and masks (P, H, W) bool."""
    frame = Frame.of(*image.shape)
    height, width = frame.size
    gray = frame.pixels(image)[0, 0, :height, :width] * PIXEL_STD[0] + PIXEL_MEAN[0]
    finer = Frame(frame.height, frame.width, frame.scale * 2, frame.rows * 2, frame.cols * 2)
    coverages = [_boxed(plane) for plane in (finer.masks_to_logits(masks).numpy() * 255.0).round().astype(np.uint8)]
    seen = [place for place, boxed in enumerate(coverages) if boxed is not None]
    return Case(
        frame,
        (gray.clamp(0, 255) * 257.0).round().numpy().astype(np.uint16),
        tuple(boxed for boxed in coverages if boxed is not None),
        tuple(categories[place] for place in seen),
        sha256,
    )


def _boxed(plane: np.ndarray) -> BoxedCoverage | None:
    rows, cols = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
    if not len(rows):
        return None
    top, left = int(rows[0]), int(cols[0])
    return BoxedCoverage(top, left, plane[top : rows[-1] + 1, left : cols[-1] + 1].copy())
