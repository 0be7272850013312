"""Encoded views on disk, so that each is encoded once: a file a view, named by all that its content depends on.

A file that is cut short, of something else, or of another name counts as missing. What is read is compared with the
checksum that the file holds, apart from those of earlier versions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from dentasam.documents.shown import MAX_REASON, cut, printable
from dentasam.errors import OutputError
from dentasam.files.atomic_write import write_atomically
from dentasam.files.regular_file import check_regular
from dentasam.model.chart.finder import CELL, fine_features
from dentasam.model.embedding import ImageEmbedding
from dentasam.training.chart.views import ChartTargets
from dentasam.training.samples.tensor_checksum import UNREADABLE, tensor_checksum

# The one entry of a file's metadata, as several have no certain order: 0 or 1 for the implants, the checksum, and the
# name without its ending. Earlier versions wrote no name, or no checksum either.
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
        checksum = tensor_checksum(tensors, f"{implants} {path.stem}")
        content = save(tensors, {_ABOUT: f"{implants} {checksum} {path.stem}"})
        try:
            with write_atomically(path) as draft:
                draft.write_bytes(content)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror}); free space or set views.dir") from None

    def has(self, path: Path) -> bool:
        """Whether the view is there, as far as a look at the beginning and the length of its file tells.

        What is in it is checked where it is read, so that a run with thousands of views begins at once.
        """
        try:
            check_regular(path)
            with safe_open(path, framework="pt") as file:
                implants, _, name = _about(file)
                return implants in ("0", "1") and name in ("", path.stem) and set(file.keys()) == set(_TENSORS)
        except UNREADABLE:
            return False


def read_view(path: Path) -> EncodedView:
    """A view that `ViewStore` wrote. Raises OutputError where it cannot be read any more, or is damaged."""
    tensors, implants = _read(path)
    return EncodedView(tensors["features"], tensors["fine"], _targets(tensors), implants)


def read_targets(path: Path) -> tuple[ChartTargets, int]:
    """The targets of a view alone, and the width of its frame in its pixels. Raises OutputError as `read_view`."""
    tensors, _ = _read(path)
    return _targets(tensors), CELL * tensors["fine"].shape[-1]


def _read(path: Path) -> tuple[dict[str, Tensor], bool]:
    """The tensors of a view, and whether implants are among its targets. Raises OutputError."""
    try:
        check_regular(path)
        with safe_open(path, framework="pt") as file:
            implants, checksum, name = _about(file)
            tensors = {name: file.get_tensor(name) for name in _TENSORS}
    except UNREADABLE as error:
        raise _unreadable(path, cut(printable(str(error)), MAX_REASON)) from None
    # The checksum is of the bytes, whatever numbers they are taken for.
    if any(tensors[name].dtype != torch.float16 for name in _HALF):
        raise _unreadable(path, "its numbers are not those of a view")
    if name not in ("", path.stem):
        raise _unreadable(path, "it is another view")
    about = f"{implants} {name}" if name else implants
    if implants not in ("0", "1") or (name and not checksum) or checksum not in ("", tensor_checksum(tensors, about)):
        raise _unreadable(path, "its checksum does not match")
    return tensors, implants == "1"


def _about(file: Any) -> tuple[str, str, str]:
    """What the file's metadata say of implants, the checksum, and the name."""
    implants, _, more = (file.metadata() or {}).get(_ABOUT, "").partition(" ")
    checksum, _, name = more.partition(" ")
    return implants, checksum, name


def _targets(tensors: Mapping[str, Tensor]) -> ChartTargets:
    names = ("places", "numbers", "kinds", "shapes")
    places, numbers, kinds, shapes = (np.array(tensors[name].numpy()) for name in names)
    return ChartTargets(places, numbers, kinds, shapes.astype(np.float32))


def _unreadable(path: Path, reason: str) -> OutputError:
    return OutputError(f"{path}: cannot be read ({reason}); delete it and run the command again")


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
