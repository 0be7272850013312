"""Weight and bias of a layer together with its active LoRA adapters, for code that rearranges the arithmetic."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor, nn


class Affine(NamedTuple):
    """A layer's weight and bias."""

    weight: Tensor
    bias: Tensor


def effective_weights(layer: nn.Module) -> Affine | None:
    """Weight and bias of a linear layer or convolution with its active LoRA adapters added, or None.

    With dropout or DoRA the adapted layer is more than one weight and bias and has to be called as a layer; see
    `is_affine`. Raises TypeError for a layer without a bias.
    """
    if not is_affine(layer):
        return None
    if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        return Affine(layer.weight, _bias(layer))
    adapted: Any = layer  # PEFT's layer around it
    base = adapted.get_base_layer()
    weight, bias = base.weight, _bias(base)
    if adapted.merged or adapted.disable_adapters:
        return Affine(weight, bias)
    for name in adapted.active_adapters:
        if name not in adapted.lora_A:
            continue
        weight = weight + adapted.get_delta_weight(name)
        if adapted.lora_bias.get(name):
            bias = bias + adapted.lora_B[name].bias * adapted.scaling[name]
    return Affine(weight, bias)


def is_affine(layer: nn.Module) -> bool:
    """Whether a layer with its active adapters is one weight and one bias, so that `effective_weights` gives them."""
    if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        return True
    adapted: Any = layer
    if adapted.merged or adapted.disable_adapters:
        return True
    active = [name for name in adapted.active_adapters if name in adapted.lora_A]
    dropped = adapted.training and any(not isinstance(adapted.lora_dropout[name], nn.Identity) for name in active)
    return not (dropped or any(adapted.use_dora.get(name) for name in active))


def _bias(layer: nn.Module) -> Tensor:
    bias = getattr(layer, "bias", None)
    if not isinstance(bias, Tensor):
        raise TypeError(f"{type(layer).__name__} has no bias")
    return bias
