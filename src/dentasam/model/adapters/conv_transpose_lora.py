"""LoRA for transposed convolutions, which PEFT does not adapt by itself.

SAM-HQ grows its feature maps with 2x2 transposed convolutions of stride 2 (`output_upscaling`,
`compress_vit_feat`, `embedding_encoder`): each input pixel gives its own 2x2 block of output pixels through
one linear map. Its low-rank update is therefore a per-pixel projection to the rank, A, and a transposed
convolution of the layer's own geometry, B:

    W'[i, o, y, x] = W[i, o, y, x] + scaling * sum_r A[r, i] * B[r, o, y, x]

The sum holds for every kernel, stride and padding, so merging is exact. The projection runs at the small
resolution, before the map grows. LoRA: Hu et al., 2021.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from peft import LoraConfig
from peft.tuners.lora import Conv2d as PeftConv2d
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import check_adapters_to_merge
from torch import Tensor, nn


class ConvTranspose2dLora(nn.Module, LoraLayer):
    """A transposed convolution with one low-rank update per adapter name; PEFT builds, names and saves it.

    With DoRA settings its update stays a plain low-rank one, as there are few of these layers.
    """

    def __init__(
        self,
        base_layer: nn.Module,
        adapter_name: str,
        config: LoraConfig,
        r: int = 0,
        lora_alpha: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        LoraLayer.__init__(self, base_layer)
        if self._base.groups != 1:
            raise ValueError(f"LoRA takes ungrouped transposed convolutions, got {self._base.groups} groups")
        self._active_adapter = adapter_name
        self.update_layer(adapter_name, r, lora_alpha=lora_alpha, config=config)

    @property
    def _base(self) -> nn.ConvTranspose2d:
        base = self.get_base_layer()
        assert isinstance(base, nn.ConvTranspose2d)
        return base

    @property
    def lora_variants(self) -> dict[tuple[str, ...], None]:
        return {(): None, ("use_dora",): None}

    def _get_in_out_features(self, module: nn.Module) -> tuple[int, int]:
        assert isinstance(module, nn.ConvTranspose2d)
        return module.in_channels, module.out_channels

    def update_layer(self, adapter_name: str, r: int, lora_alpha: int, config: LoraConfig, **kwargs: Any) -> None:
        """Add the adapter `adapter_name`; its output starts at zero."""
        if r <= 0:
            raise ValueError(f"`r` should be a positive integer value but the value passed is {r}")
        self.resolve_lora_variant(config=config)
        base = self._base
        bias = config.lora_bias and base.bias is not None
        self.r[adapter_name] = r
        self.lora_alpha[adapter_name] = lora_alpha
        self.scaling[adapter_name] = lora_alpha / (math.sqrt(r) if config.use_rslora else r)
        self.use_rslora[adapter_name] = config.use_rslora
        self.use_dora[adapter_name] = False
        self.lora_bias[adapter_name] = bias
        self.lora_dropout[adapter_name] = nn.Dropout(config.lora_dropout) if config.lora_dropout else nn.Identity()
        self.lora_A[adapter_name] = nn.Conv2d(base.in_channels, r, kernel_size=1, bias=False)
        self.lora_B[adapter_name] = nn.ConvTranspose2d(
            r,
            base.out_channels,
            base.kernel_size,  # type: ignore[arg-type]
            base.stride,  # type: ignore[arg-type]
            base.padding,  # type: ignore[arg-type]
            base.output_padding,  # type: ignore[arg-type]
            bias=bias,
            dilation=base.dilation,  # type: ignore[arg-type]
        )
        self.reset_lora_parameters(adapter_name, config.init_lora_weights)
        self._move_adapter_to_device_of_base_layer(adapter_name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def get_delta_weight(self, adapter: str) -> Tensor:
        """The adapter's update of the weight, (in, out, height, width)."""
        a, b = self._factors(adapter)
        delta: Tensor = torch.einsum("ri,royx->ioyx", a.weight.flatten(1), b.weight) * self.scaling[adapter]
        return delta

    @torch.no_grad()
    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Add the named adapters (default: the active ones) to the base weights.

        Raises ValueError with `safe_merge` where a merged weight is not finite.
        """
        for adapter in check_adapters_to_merge(self, adapter_names):
            if adapter not in self.lora_A:
                continue
            base = self._base
            weight = base.weight + self.get_delta_weight(adapter).to(base.weight.dtype)
            if safe_merge and not torch.isfinite(weight).all():
                raise ValueError(f"NaNs detected in the merged weights. The adapter {adapter} seems to be broken")
            base.weight.data = weight
            if self.lora_bias[adapter] and base.bias is not None:
                base.bias += self._delta_bias(adapter)
            self.merged_adapters.append(adapter)

    @torch.no_grad()
    def unmerge(self) -> None:
        """Subtract all merged adapters from the base weights."""
        if not self.merged:
            warnings.warn("Already unmerged. Nothing to do.", stacklevel=2)
        while self.merged_adapters:
            adapter = self.merged_adapters.pop()
            base = self._base
            base.weight -= self.get_delta_weight(adapter).to(base.weight.dtype)
            if self.lora_bias[adapter] and base.bias is not None:
                base.bias -= self._delta_bias(adapter)

    def _factors(self, adapter: str) -> tuple[nn.Conv2d, nn.ConvTranspose2d]:
        return self.lora_A[adapter], self.lora_B[adapter]  # type: ignore[return-value]

    def _delta_bias(self, adapter: str) -> Tensor:
        bias = self._factors(adapter)[1].bias
        assert bias is not None
        delta: Tensor = bias * self.scaling[adapter]
        return delta

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """(B, in, h, w) -> (B, out, H, W), as the base layer."""
        if self.disable_adapters and self.merged:
            self.unmerge()
        result: Tensor = self.base_layer(x, *args, **kwargs)
        if self.disable_adapters or self.merged:
            return result
        dtype = result.dtype
        for adapter in self.active_adapters:
            if adapter not in self.lora_A:
                continue
            a, b = self._factors(adapter)
            low = a(self.lora_dropout[adapter](self._cast_input_dtype(x, a.weight.dtype)))
            result = result + b(low) * self.scaling[adapter]
        return result.to(dtype)

    def __repr__(self) -> str:
        return "lora." + super().__repr__()


class Conv2dLora(PeftConv2d):
    """PEFT's LoRA for Conv2d that trains a bias only where the convolution has one.

    `lora_bias` is one setting for a whole adapter; on a convolution without bias (before a norm) PEFT would train a
    bias that cannot be merged.
    """

    def update_layer(self, adapter_name: str, r: int, lora_alpha: int, config: LoraConfig, **kwargs: Any) -> None:
        """Add the adapter `adapter_name`; its output starts at zero."""
        if config.lora_bias and self.get_base_layer().bias is None:
            config = LoraConfig(
                r=r,
                lora_alpha=lora_alpha,
                lora_dropout=config.lora_dropout,
                use_rslora=config.use_rslora,
                use_dora=config.use_dora,
                inference_mode=config.inference_mode,
            )
        super().update_layer(adapter_name, r, lora_alpha=lora_alpha, config=config, **kwargs)


def register_conv_lora(config: LoraConfig) -> LoraConfig:
    """Let PEFT adapt convolutions by the classes above under this config; returns it.

    PEFT does not write custom layers to `adapter_config.json`, so a config read back from there needs this
    call before PEFT builds a model from it.
    """
    config._register_custom_module({nn.ConvTranspose2d: ConvTranspose2dLora, nn.Conv2d: Conv2dLora})
    return config
