"""transformers' `SamHQModel` with our network's weights.

From 4.57.6 to 5.23.0 its mask decoder drops the image embedding that the two-way transformer updated, and upscales
the raw one with height and width swapped: it costs the same and gives other masks. `fix_decoder` puts the published
behaviour back, so that both sides can be seen to give the same masks.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import torch
from torch import Tensor, nn

from dentasam.model.checkpoints.key_maps import to_official
from dentasam.model.sam_hq import SamHQ

from ..measuring import Missing
from ..scene import vit_settings


def build(ours: SamHQ) -> Any:
    """A fixed `SamHQModel` that computes what `ours` does. Raises `Missing` without transformers or a plain ViT."""
    settings = vit_settings(ours)
    if settings is None:
        raise Missing("transformers has SAM-HQ with plain ViT encoders only")
    if importlib.util.find_spec("transformers") is None:
        raise Missing("transformers is not installed: pip install 'transformers>=5,<6'")
    from transformers import SamHQConfig, SamHQModel
    from transformers.utils import logging

    logging.set_verbosity_error()
    decoder = {"vit_dim": settings["hidden_size"], "layer_norm_eps": 1e-5}
    theirs = SamHQModel(SamHQConfig(vision_config=settings, mask_decoder_config=decoder))
    copy_weights(ours, theirs)
    fix_decoder(theirs)
    return theirs.eval().requires_grad_(False).to(ours.device)


def copy_weights(ours: SamHQ, theirs: nn.Module) -> None:
    """Give theirs the values of ours, name by name. Raises ValueError where the two do not have the same names."""
    state = ours.state_dict()
    # the tensors of a state dict share their memory with the model's own
    places = to_official(theirs.state_dict())
    if places.keys() != state.keys():
        raise ValueError(f"names differ: {sorted(places.keys() ^ state.keys())[:3]}")
    with torch.no_grad():
        for name, tensor in state.items():
            places[name].copy_(tensor)


def fix_decoder(theirs: Any) -> None:
    """Hand the updated image embedding to the upscaling."""
    updated: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, outputs: tuple[Tensor, Tensor]) -> None:
        updated[:] = [outputs[1]]  # (P, 1, rows cols, 256)

    def put_back(_module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        return (updated.pop().transpose(-1, -2).reshape(inputs[0].shape),)

    theirs.mask_decoder.transformer.register_forward_hook(keep)
    theirs.mask_decoder.upscale_conv1.register_forward_pre_hook(put_back)
