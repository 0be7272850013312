"""Encoded views on disk, so that each is encoded once: a file a view, named by all that its content depends on.

A damaged or half-written file counts as missing: it holds a checksum, apart from those of earlier versions.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from dentasam.atomic_write import write_atomically
from dentasam.documents.shown import MAX_REASON, cut, printable
from dentasam.errors import OutputError
from dentasam.model.chart.finder import CELL, fine_features
from dentasam.model.embedding import ImageEmbedding
from dentasam.training.chart.views import ChartTargets
from dentasam.training.samples.tensor_checksum import UNREADABLE, tensor_checksum

# The one entry of a file's metadata, as several have no certain order: 0 or 1 for the implants, and the checksum.
_ABOUT = "implants"
_TENSORS = ("features", "fine", "places", "numbers", "kinds", "shapes")
_HALF = ("features", "fine", "shapes")


@dataclass(frozen=True)
class EncodedView:
    """features: (256, h, w) and fine: (32, 2h, 2w), float16. implants: whether implants are among the targets."""

    features: Tensor
    fine: Tensor
    targets: ChartTargets
    implants: bool

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the finder's maps."""
        return self.fine.shape[-2], self.fine.shape[-1]

    @classmethod
    def of(cls, embedding: ImageEmbedding, targets: ChartTargets, implants: bool) -> EncodedView:
        """A view from its embedding."""
        return cls(embedding.features[0].half(), fine_features(embedding)[0].half(), targets, implants)


class ViewStore:
    """A folder of encoded views."""

    def __init__(self, folder: Path) -> None:
        """Raises OutputError where the folder cannot be made."""
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made ({error.strerror}); choose another views.dir") from None

    def path(self, *depends: object) -> Path:
        """The file of the view that depends on these things."""
        return self.folder / f"{hashlib.sha256(repr(depends).encode()).hexdigest()[:40]}.safetensors"

    def write(self, path: Path, view: EncodedView) -> None:
        """Raises OutputError where it cannot be written."""
        tensors = {
            "features": view.features.contiguous(),
            "fine": view.fine.contiguous(),
            "places": torch.from_numpy(view.targets.places),
            "numbers": torch.from_numpy(view.targets.numbers),
            "kinds": torch.from_numpy(view.targets.kinds),
            "shapes": torch.from_numpy(view.targets.shapes).half(),
        }
        implants = str(int(view.implants))
        content = save(tensors, {_ABOUT: f"{implants} {tensor_checksum(tensors, implants)}"})
        try:
            with write_atomically(path) as draft:
                draft.write_bytes(content)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror}); free space or set views.dir") from None

    def is_whole(self, path: Path) -> bool:
        """Whether the view is there as it was written."""
        try:
            with safe_open(path, framework="pt") as file:
                implants, _, checksum = (file.metadata() or {}).get(_ABOUT, "").partition(" ")
                tensors = {name: file.get_tensor(name) for name in _TENSORS}
                if set(file.keys()) != set(_TENSORS):
                    return False
        except UNREADABLE:
            return False
        # The checksum is of the bytes, whatever numbers they are taken for.
        if any(tensors[name].dtype != torch.float16 for name in _HALF):
            return False
        # Earlier versions wrote no checksum.
        return implants in ("0", "1") and checksum in ("", tensor_checksum(tensors, implants))


def read_view(path: Path) -> EncodedView:
    """A view that `ViewStore` wrote. Raises OutputError where it cannot be read any more."""
    try:
        with safe_open(path, framework="pt") as file:
            implants = (file.metadata() or {}).get(_ABOUT, "").startswith("1")
            return EncodedView(file.get_tensor("features"), file.get_tensor("fine"), _targets(file), implants)
    except UNREADABLE as error:
        raise _unreadable(path, error) from None


def read_targets(path: Path) -> tuple[ChartTargets, int]:
    """The targets of a view alone, and the width of its frame in its pixels. Raises OutputError as `read_view`."""
    try:
        with safe_open(path, framework="pt") as file:
            return _targets(file), CELL * int(file.get_slice("fine").get_shape()[-1])
    except UNREADABLE as error:
        raise _unreadable(path, error) from None


def _targets(file: Any) -> ChartTargets:
    names = ("places", "numbers", "kinds", "shapes")
    places, numbers, kinds, shapes = (np.array(file.get_tensor(name).numpy()) for name in names)
    return ChartTargets(places, numbers, kinds, shapes.astype(np.float32))


def _unreadable(path: Path, error: Exception) -> OutputError:
    return OutputError(
        f"{path}: cannot be read ({cut(printable(str(error)), MAX_REASON)}); delete it and run the command again"
    )


def batched(views: list[EncodedView]) -> tuple[Tensor, Tensor]:
    """Features (B, 256, h, w) and fine features (B, 32, 2h, 2w) float32, padded with zeros to a common grid."""
    height = max(view.features.shape[-2] for view in views)
    width = max(view.features.shape[-1] for view in views)
    features = torch.zeros(len(views), views[0].features.shape[0], height, width)
    fine = torch.zeros(len(views), views[0].fine.shape[0], 2 * height, 2 * width)
    for row, view in enumerate(views):
        features[row, :, : view.features.shape[1], : view.features.shape[2]] = view.features
        fine[row, :, : view.fine.shape[1], : view.fine.shape[2]] = view.fine
    return features, fine
