"""The official image encoders by name: how each is built, and how its weights are recognised in a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from dentasam.model.encoder.image_encoder import ImageEncoder
from dentasam.model.encoder.tiny_vit import INTERMEDIATE_WIDTH, TinyViT
from dentasam.model.encoder.vit import ImageEncoderViT

# Before the names of an encoder's parameters in the state dict of a whole model.
PREFIX = "image_encoder."


@dataclass(frozen=True)
class OfficialEncoder:
    """An encoder of the official checkpoints.

    build: makes it with random weights. intermediate_width: channels of its intermediate map.
    recognise: whether a state dict of a whole model, in official names, has the weights of this encoder.
    """

    build: Callable[[], ImageEncoder]
    intermediate_width: int
    recognise: Callable[[Mapping[str, Tensor]], bool]


def plain_vit_size(state: Mapping[str, Tensor]) -> tuple[int, int] | None:
    """Width and number of blocks of the plain ViT in a model's state dict, or None if it has another encoder."""
    patches = state.get(f"{PREFIX}patch_embed.proj.weight")
    if patches is None or patches.ndim == 0:
        return None
    blocks = {key.split(".")[2] for key in state if key.startswith(f"{PREFIX}blocks.")}
    return patches.shape[0], len(blocks)


def _plain_vit(width: int, depth: int, heads: int, global_blocks: tuple[int, ...]) -> OfficialEncoder:
    return OfficialEncoder(
        lambda: ImageEncoderViT(width, depth, heads, global_blocks),
        intermediate_width=width,
        recognise=lambda state: plain_vit_size(state) == (width, depth),
    )


ENCODERS: Mapping[str, OfficialEncoder] = {
    "vit_tiny": OfficialEncoder(
        TinyViT, INTERMEDIATE_WIDTH, recognise=lambda state: f"{PREFIX}patch_embed.seq.0.c.weight" in state
    ),
    "vit_b": _plain_vit(768, 12, 12, (2, 5, 8, 11)),
    "vit_l": _plain_vit(1024, 24, 16, (5, 11, 17, 23)),
    "vit_h": _plain_vit(1280, 32, 16, (7, 15, 23, 31)),
}


def recognise_encoder(state: Mapping[str, Tensor]) -> str | None:
    """The name of the encoder whose weights a model's state dict has, by their shapes, or None."""
    return next((name for name, encoder in ENCODERS.items() if encoder.recognise(state)), None)
