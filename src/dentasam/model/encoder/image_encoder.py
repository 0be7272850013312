"""What an image encoder has to fulfil, and how to add one.

1. Write it as an `nn.Module` in a file of its own beside this one, with the methods of `ImageEncoder` below and with
   parameter names as in its published checkpoints.
2. Enter it in `encoder_registry.py`: how it is built, and how its weights are recognised in a checkpoint.
3. Where transformers names its parameters differently, add the rules to `checkpoints/key_maps.py`.
4. Add it to the parity tests in `tests/model`, against the implementation it comes from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor, nn


class ImageEncoder(Protocol):
    """An `nn.Module` that encodes images on a token grid of any shape up to 64 x 64, one token for 16 x 16 pixels.

    It consists of parts that run one after another (the blocks of a ViT, the stages of a TinyViT) and a neck.
    `prefix` and `suffix` are `__call__` in two steps, so that the output of frozen parts can be cached.
    """

    neck: nn.Sequential

    # Keep only each part's input for the backward and compute the part again there; has no effect where
    # `supports_recompute` is False.
    recompute: bool

    @property
    def supports_recompute(self) -> bool:
        """Whether `recompute` has an effect."""
        ...

    @property
    def parts(self) -> nn.ModuleList:
        """The parts in their order. `prefix` and `suffix` count them, and so does `LoraSettings.encoder_last`."""
        ...

    def __call__(self, pixels: Tensor, top: int | Tensor = 0, left: int | Tensor = 0) -> tuple[Tensor, Tensor]:
        """Image embeddings (B, 256, rows, cols) and the intermediate map (B, C, rows, cols) for the HQ features.

        pixels: (B, 3, 16 rows, 16 cols), normalised by `Frame.pixels`.
        top, left: the place of the image's first token in the 64 x 64 grid; not 0 for a crop of a larger image.
        Tensors without dimensions in an exported graph, where they are inputs.
        Raises ValueError where the image does not fit the grid, unless they are tensors.
        """
        ...

    def prefix(
        self, pixels: Tensor, stop: int, top: int | Tensor = 0, left: int | Tensor = 0
    ) -> tuple[Tensor, Tensor | None]:
        """The input (B, C, h, w) of part `stop`, and the intermediate map, None where it is computed later."""
        ...

    def suffix(self, tokens: Tensor, intermediate: Tensor | None, start: int) -> tuple[Tensor, Tensor]:
        """What `__call__` returns, from what `prefix` returned for part `start`."""
        ...

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """As `nn.Module.parameters`."""
        ...
