"""Which parts of SAM-HQ an adapter trains: LoRA by PEFT, put into the network in place.

    scope             LoRA on every linear and (transposed) convolution of
    encoder+decoder   the image encoder and the mask decoder
    encoder           the image encoder
    decoder           the mask decoder with its HQ module
    hq                the HQ module alone

A layer `x` of the network becomes `x.base_layer` beside `x.lora_A.NAME` and `x.lora_B.NAME`; the network stays a
`SamHQ`. Depthwise convolutions, norms and tokens are too small for a low rank; `train_norms` trains them whole, on a
copy that PEFT keeps for each adapter (`modules_to_save`), so that the base never changes. No scope trains the prompt
encoder or the tables of positions, which are bare parameters of a larger layer.

See also `conv_transpose_lora` for LoRA on transposed convolutions, `merging` for merging an adapter into the base,
and `saving` and `loading` for its files.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import AuxiliaryTrainingWrapper
from torch import nn

from dentasam.errors import AdapterError
from dentasam.model.adapters.conv_transpose_lora import register_conv_lora
from dentasam.model.adapters.switching import adapter_names, use_adapter
from dentasam.model.adapters.trainable import mark_only_adapter_trainable
from dentasam.model.core.layers import LayerNorm2d
from dentasam.model.encoder.image_encoder import ImageEncoder
from dentasam.model.sam_hq import SamHQ

Scope = Literal["encoder+decoder", "encoder", "decoder", "hq"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
# Far above any use; the weights that it scales stay finite in single precision.
MAX_ALPHA = 1_000_000

_HQ = ("hf_token", "hf_mlp", "compress_vit_feat", "embedding_encoder", "embedding_maskfeature")
_PREFIXES: dict[Scope, tuple[str, ...]] = {
    "encoder+decoder": ("image_encoder.", "mask_decoder."),
    "encoder": ("image_encoder.",),
    "decoder": ("mask_decoder.",),
    "hq": tuple(f"mask_decoder.{name}" for name in _HQ),
}
_NORMS = (nn.LayerNorm, nn.BatchNorm2d, LayerNorm2d)


@dataclass(frozen=True)
class LoraSettings:
    """What to train and how strongly.

    scope: part of the network, see the module's docstring.
    rank, alpha: the update is alpha / rank * B A.
    rslora: alpha / sqrt(rank) * B A in its place (Kalajdzievski, 2023).
    dropout: on the input of A while training.
    dora: also learn the length of each weight row (Liu et al., 2024); slower, and PEFT then trains no biases.
    train_norms: also train norms, tokens and depthwise convolutions whole, and the biases of the LoRA layers.
    encoder_last: of the image encoder, adapt this many of the last blocks (ViT) or stages (TinyViT) and the neck
        alone; None for all of it. What comes before is then the same for an image throughout training.

    Raises ValueError for a value out of range.
    """

    scope: Scope = "encoder+decoder"
    rank: int = 8
    alpha: int = 16
    dropout: float = 0.0
    rslora: bool = False
    dora: bool = False
    train_norms: bool = True
    encoder_last: int | None = None

    def __post_init__(self) -> None:
        if self.scope not in SCOPES:
            raise ValueError(f"scope must be one of {', '.join(SCOPES)}, got {self.scope!r}")
        if self.rank < 1:
            raise ValueError(f"rank must be at least 1, got {self.rank}")
        if not 0 < self.alpha <= MAX_ALPHA:
            raise ValueError(f"alpha must be above 0 and at most {MAX_ALPHA:,}, got {self.alpha}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in 0 <= dropout < 1, got {self.dropout}")
        if self.encoder_last is not None and self.encoder_last < 1:
            raise ValueError(f"encoder_last must be at least 1, got {self.encoder_last}")


def add_lora(model: SamHQ, settings: LoraSettings, name: str = "default") -> SamHQ:
    """Add a new adapter to `model`, active and the only part that trains; returns `model`.

    Raises AdapterError where the name is in use or has a dot, which would end a part of a parameter's name.
    """
    inject(model, lora_config(model, settings), name)
    mark_only_adapter_trainable(model, name)
    return model


def lora_config(model: SamHQ, settings: LoraSettings) -> LoraConfig:
    """PEFT's configuration of a new adapter for this network, which lists every adapted layer by name."""
    low_rank, whole = [], []
    prefixes = _prefixes(model, settings)
    for path, module in plain_modules(model):
        if not path.startswith(prefixes):
            continue
        if takes_lora(module):
            low_rank.append(path)
        elif trains_whole(module):
            whole.append(path)
    return register_conv_lora(
        LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,
            lora_dropout=settings.dropout,
            use_rslora=settings.rslora,
            use_dora=settings.dora,
            lora_bias=settings.train_norms and not settings.dora,
            target_modules=low_rank,
            modules_to_save=whole if settings.train_norms and whole else None,
        )
    )


def first_adapted(encoder: ImageEncoder, encoder_last: int) -> int:
    """The index of the first block or stage that an adapter with `LoraSettings.encoder_last` changes."""
    return max(0, len(encoder.parts) - encoder_last)


def takes_lora(module: nn.Module) -> bool:
    """Whether a layer gets a low-rank update: linear layers and (transposed) convolutions that are not grouped."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        return module.groups == 1
    return isinstance(module, nn.Linear)


def trains_whole(module: nn.Module) -> bool:
    """Whether a layer is trained whole, as a copy: norms, tokens, depthwise convolutions."""
    return isinstance(module, (*_NORMS, nn.Embedding)) or (isinstance(module, nn.Conv2d) and module.groups > 1)


def plain_modules(model: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Names and layers of the network as they would be without adapters."""
    for name, child in model.named_children():
        path = prefix + name
        if isinstance(child, BaseTunerLayer):
            yield path, child.get_base_layer()
        elif isinstance(child, AuxiliaryTrainingWrapper):
            yield path, child.original_module
        else:
            yield path, child
            yield from plain_modules(child, f"{path}.")


def _prefixes(model: SamHQ, settings: LoraSettings) -> tuple[str, ...]:
    """The beginnings of the names of all layers that the adapter may change."""
    prefixes = _PREFIXES[settings.scope]
    if settings.encoder_last is None or "image_encoder." not in prefixes:
        return prefixes
    encoder = model.image_encoder
    adapted = {*list(encoder.parts)[first_adapted(encoder, settings.encoder_last) :], encoder.neck}
    last = [f"{path}." for path, module in model.named_modules() if module in adapted]
    return (*last, *(prefix for prefix in prefixes if prefix != "image_encoder."))


def inject(model: nn.Module, config: LoraConfig, name: str) -> None:
    """Add the layers of a PEFT config to the network under `name`, active and frozen.

    Raises AdapterError where the name is in use or has a dot, which would end a part of a parameter's name.
    """
    if not name or "." in name:
        raise AdapterError(f"adapter name {name!r}: give a name without a dot")
    if name in adapter_names(model):
        raise AdapterError(f"adapter name {name!r} is in use on this model; give another one")
    with warnings.catch_warnings():
        # PEFT warns of a second adapter on one base, which is intended here.
        warnings.filterwarnings("ignore", message="Already found a `peft_config`")
        inject_adapter_in_model(config, model, adapter_name=name)
    use_adapter(model, name)
