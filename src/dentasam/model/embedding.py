"""Image embeddings: what is computed once per image and passed to the mask decoder."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from dentasam.errors import CheckpointError
from dentasam.files.atomic_write import write_atomically
from dentasam.files.regular_file import check_regular
from dentasam.model.core.frame import Frame
from dentasam.model.decoder.transformer import SharedProjections


@dataclass(frozen=True)
class EncoderOutput:
    """The output of the image encoder: features (B, 256, rows, cols), intermediate (B, C, rows, cols)."""

    features: Tensor
    intermediate: Tensor


@dataclass(frozen=True)
class EncoderPrefix:
    """The state of the image encoder before its block or stage `stop`.

    tokens: (B, C, h, w), the input of that block. intermediate: (B, C, rows, cols), None where it is computed later.
    """

    tokens: Tensor
    intermediate: Tensor | None
    stop: int


@dataclass(frozen=True)
class ImageEmbedding:
    """Image features (B, 256, rows, cols) and HQ features (B, 32, 4 rows, 4 cols) of a frame.

    shared: the decoder's projections of the image, from `SamHQ.with_projections`; if None they are computed where
    they are needed. They are never saved.
    """

    features: Tensor
    hq: Tensor
    frame: Frame
    shared: SharedProjections | None = None

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> ImageEmbedding:
        """The same embedding on another device or in another type."""
        shared = None if self.shared is None else self.shared.to(device, dtype)
        return replace(self, features=self.features.to(device, dtype), hq=self.hq.to(device, dtype), shared=shared)

    def half(self) -> ImageEmbedding:
        """The same embedding in half precision and without projections, to be stored."""
        return replace(self, shared=None).to(dtype=torch.float16)

    def leaf(self) -> ImageEmbedding:
        """Detached copies as autograd leaves in single precision or better.

        Copies of tensors with a graph collect gradients.
        """
        return replace(self, features=_leaf(self.features), hq=_leaf(self.hq), shared=None)

    def save(self, path: Path) -> None:
        """Write the embedding as safetensors, complete or not at all. Raises OSError."""
        with write_atomically(Path(path)) as draft:
            draft.write_bytes(self.to_bytes())

    def to_bytes(self) -> bytes:
        """The content of the file that `save` writes."""
        metadata = {name: repr(value) for name, value in asdict(self.frame).items()}
        tensors = {"features": self.features.detach().contiguous(), "hq": self.hq.detach().contiguous()}
        return save(tensors, metadata=metadata)

    @classmethod
    def load(cls, path: Path) -> ImageEmbedding:
        """Read what `save` wrote. Raises `CheckpointError` for a damaged or foreign file."""
        try:
            check_regular(path)
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                whole = ("height", "width", "rows", "cols", "top", "left")
                frame = Frame(scale=float(metadata["scale"]), **{name: int(metadata[name]) for name in whole})
                loaded = cls(file.get_tensor("features"), file.get_tensor("hq"), frame)
            loaded._check()
            return loaded
        except (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError, SafetensorError) as error:
            raise CheckpointError(
                f"{path}: not a readable embedding ({error}); delete it and encode again"
            ) from error

    def _check(self) -> None:
        """Raises ValueError where the tensors do not have the shapes and types of the frame."""
        frame = self.frame
        images = len(self.features) if self.features.ndim else 0
        tokens, pixels = (frame.rows, frame.cols), (4 * frame.rows, 4 * frame.cols)
        if self.features.shape != (images, 256, *tokens) or self.hq.shape != (images, 32, *pixels):
            raise ValueError(f"shapes {tuple(self.features.shape)} and {tuple(self.hq.shape)}")
        if not (self.features.is_floating_point() and self.hq.is_floating_point()):
            raise ValueError(f"types {self.features.dtype} and {self.hq.dtype}")
        sides = (frame.height, frame.width, frame.rows, frame.cols)
        if images < 1 or min(sides) < 1 or min(frame.top, frame.left) < 0 or not 0 < frame.scale < math.inf:
            raise ValueError(f"the frame {frame}")


def _leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().to(torch.promote_types(tensor.dtype, torch.float32)).requires_grad_(tensor.requires_grad)
