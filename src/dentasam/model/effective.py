"""The weights that a layer works with, its active adapters included, for code that rearranges the arithmetic."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor, nn


class Affine(NamedTuple):
    """A layer's weight and bias."""

    weight: Tensor
    bias: Tensor


def effective(layer: nn.Module) -> Affine | None:
    """Weight and bias of a linear layer or convolution with its active LoRA adapters, or None where they are no sum.

    Dropout and DoRA make the adapted layer more than one weight; it then has to be called as it is.
    """
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        return Affine(layer.weight, _bias(layer))
    adapted: Any = layer  # PEFT's layer around it
    base = adapted.get_base_layer()
    weight, bias = base.weight, _bias(base)
    if adapted.merged or adapted.disable_adapters:
        return Affine(weight, bias)
    for name in adapted.active_adapters:
        if name not in adapted.lora_A:
            continue
        drops = adapted.training and not isinstance(adapted.lora_dropout[name], nn.Identity)
        if adapted.use_dora.get(name) or drops:
            return None
        weight = weight + adapted.get_delta_weight(name)
        if adapted.lora_bias.get(name):
            bias = bias + adapted.lora_B[name].bias * adapted.scaling[name]
    return Affine(weight, bias)


def _bias(layer: nn.Module) -> Tensor:
    bias = getattr(layer, "bias", None)
    if not isinstance(bias, Tensor):
        raise TypeError(f"{type(layer).__name__} has no bias")
    return bias
