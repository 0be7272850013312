"""Which parts of SAM-HQ an adapter trains: LoRA by PEFT, put into the network in place.

    scope             LoRA on every linear and (transposed) convolution of
    encoder+decoder   the image encoder and the mask decoder
    encoder           the image encoder
    decoder           the mask decoder with its HQ module
    hq                the HQ module alone

A layer `x` of the network becomes `x.base_layer` beside `x.lora_A.NAME` and `x.lora_B.NAME`; the network
stays a `SamHQ`. Depthwise convolutions, norms and tokens are too small for a low rank; `train_norms` trains
them whole, on a copy that PEFT keeps per adapter (`modules_to_save`), so that the base stays as it was under
every adapter. Trained in no scope: the prompt encoder, and the tables of positions, which are bare parameters
of a larger layer.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from peft import LoraConfig, inject_adapter_in_model
from peft.functional import delete_adapter, set_adapter
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import AuxiliaryTrainingWrapper
from torch import nn

from dentasam.errors import AdapterError
from dentasam.model.adapters.conv_transpose_lora import register_conv_lora
from dentasam.model.core.layers import LayerNorm2d

Scope = Literal["encoder+decoder", "encoder", "decoder", "hq"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

_HQ = ("hf_token", "hf_mlp", "compress_vit_feat", "embedding_encoder", "embedding_maskfeature")
_PREFIXES: dict[Scope, tuple[str, ...]] = {
    "encoder+decoder": ("image_encoder.", "mask_decoder."),
    "encoder": ("image_encoder.",),
    "decoder": ("mask_decoder.",),
    "hq": tuple(f"mask_decoder.{name}" for name in _HQ),
}
_NORMS = (nn.LayerNorm, nn.BatchNorm2d, LayerNorm2d)

Network = TypeVar("Network", bound=nn.Module)


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
        if not (math.isfinite(self.alpha) and self.alpha > 0):
            raise ValueError(f"alpha must be above 0, got {self.alpha}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in 0 <= dropout < 1, got {self.dropout}")
        if self.encoder_last is not None and self.encoder_last < 1:
            raise ValueError(f"encoder_last must be at least 1, got {self.encoder_last}")


def add_lora(model: Network, settings: LoraSettings, name: str = "default") -> Network:
    """Put a new adapter into `model`, make it the active one and the only thing that trains; returns `model`.

    Raises AdapterError where the name is taken or cannot be a part of a parameter's name.
    """
    inject(model, lora_config(model, settings), name)
    mark_only_adapter_trainable(model, name)
    return model


def lora_config(model: nn.Module, settings: LoraSettings) -> LoraConfig:
    """PEFT's configuration of an adapter for this network, with every layer by its name."""
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


def first_adapted(model: nn.Module, encoder_last: int) -> int:
    """The first block or stage of the image encoder that an adapter of the last so many changes."""
    parts = getattr(model.image_encoder, str(model.image_encoder.PARTS))  # type: ignore[union-attr]
    return max(0, len(parts) - encoder_last)


def takes_lora(module: nn.Module) -> bool:
    """Whether a layer is given a low-rank update."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        return module.groups == 1
    return isinstance(module, nn.Linear)


def trains_whole(module: nn.Module) -> bool:
    """Whether a layer is trained as a copy of its own: norms, tokens, depthwise convolutions."""
    return isinstance(module, (*_NORMS, nn.Embedding)) or (isinstance(module, nn.Conv2d) and module.groups > 1)


def plain_modules(model: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Name and layer of everything in the network as if it had no adapter."""
    for name, child in model.named_children():
        path = prefix + name
        if isinstance(child, BaseTunerLayer):
            yield path, child.get_base_layer()
        elif isinstance(child, AuxiliaryTrainingWrapper):
            yield path, child.original_module
        else:
            yield path, child
            yield from plain_modules(child, f"{path}.")


def _prefixes(model: nn.Module, settings: LoraSettings) -> tuple[str, ...]:
    """How the names of all layers begin that the adapter may change."""
    prefixes = _PREFIXES[settings.scope]
    if settings.encoder_last is None or "image_encoder." not in prefixes:
        return prefixes
    encoder: nn.Module = model.image_encoder  # type: ignore[assignment]
    parts, first = str(encoder.PARTS), first_adapted(model, settings.encoder_last)
    last = [f"image_encoder.{parts}.{index}." for index in range(first, len(getattr(encoder, parts)))]
    return (*last, "image_encoder.neck.", *(prefix for prefix in prefixes if prefix != "image_encoder."))


def inject(model: nn.Module, config: LoraConfig, name: str) -> None:
    """Build the layers of a PEFT config under `name` and make them active, frozen.

    Raises AdapterError where the name is taken or cannot be a part of a parameter's name.
    """
    if not name or "." in name:
        raise AdapterError(f"adapter name {name!r}: give a name without a dot")
    if name in adapter_names(model):
        raise AdapterError(f"adapter name {name!r} is in use on this model; give another one")
    with warnings.catch_warnings():
        # PEFT warns of every second adapter on one base, which is the point here.
        warnings.filterwarnings("ignore", message="Already found a `peft_config`")
        inject_adapter_in_model(config, model, adapter_name=name)
    use_adapter(model, name)


def adapter_names(model: nn.Module) -> list[str]:
    """Names of the adapters in the model."""
    return list(getattr(model, "peft_config", {}))


def active_adapter(model: nn.Module) -> str | None:
    """Name of the adapter that `use_adapter` last chose; None for the base alone."""
    for module in model.modules():
        if isinstance(module, BaseTunerLayer):
            return None if module.disable_adapters else next(iter(module.active_adapters), None)
    return None


def use_adapter(model: nn.Module, name: str | None, *, trainable: bool = False) -> None:
    """Let the model compute with the adapter `name`, or as the base alone with None.

    Nothing is copied or loaded; None gives the base's outputs to the bit. Embeddings that were encoded under
    another choice are not valid any more: every scope reaches the encoder or the HQ features.
    Raises AdapterError for an unknown name.
    """
    if name is not None and name not in adapter_names(model):
        known = ", ".join(adapter_names(model)) or "none"
        raise AdapterError(f"adapter {name!r} is not on this model (it has: {known}); load it first")
    for module in model.modules():
        if isinstance(module, (BaseTunerLayer, AuxiliaryTrainingWrapper)):
            module.enable_adapters(name is not None)
    if name is not None:
        set_adapter(model, name, inference_mode=not trainable)


def remove_adapter(model: nn.Module, name: str) -> None:
    """Take the adapter `name` off the model; if it was the active one, the base alone is active afterwards.

    Raises AdapterError for an unknown name.
    """
    before = active_adapter(model)
    use_adapter(model, name)
    for module in model.modules():
        if isinstance(module, (BaseTunerLayer, AuxiliaryTrainingWrapper)):
            # PEFT would otherwise pick another adapter to be active, layer by layer.
            module.set_adapter([])
    delete_adapter(model, name, prefix="lora_")
    del model.peft_config[name]  # type: ignore[operator, union-attr]
    use_adapter(model, None if before == name else before)


def mark_only_adapter_trainable(model: nn.Module, name: str = "default") -> None:
    """Make `name` the active adapter and the only part of the model that asks for gradients."""
    model.requires_grad_(False)
    use_adapter(model, name, trainable=True)


def trainable_parameters(model: nn.Module) -> list[nn.Parameter]:
    """The parameters for the optimizer, in the model's order."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def trainable_share(model: nn.Module) -> tuple[int, int]:
    """Numbers that train, and all numbers of the network with its adapters."""
    sizes = [(parameter.requires_grad, parameter.numel()) for parameter in model.parameters()]
    return sum(size for trains, size in sizes if trains), sum(size for _, size in sizes)


def trainable_line(model: nn.Module) -> str:
    """The trainable share as a line to print."""
    trainable, total = trainable_share(model)
    return f"{trainable:,} of {total:,} parameters train ({trainable / max(total, 1):.1%})"


def freeze_statistics(model: nn.Module) -> None:
    """Let batch norms use their stored mean and variance while the rest of the model is in training mode.

    Call after every `model.train()`: one image a step gives no statistics worth having, and the stored ones
    belong to the base that the adapter is saved for.
    """
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def merge_adapter(model: Network, name: str = "default") -> Network:
    """A plain copy of the network that computes what `model` computes with the adapter `name`.

    Its parameters have the names of a network that never had an adapter; `model` stays as it is.
    Raises AdapterError for an unknown name or an adapter that is not finite.
    """
    merged = copy.deepcopy(model)
    use_adapter(merged, name)
    try:
        _unwrap(merged, name)
    except ValueError as error:
        raise AdapterError(f"adapter {name!r} cannot be merged ({error}); train it again") from error
    del merged.peft_config
    return merged


def _unwrap(parent: nn.Module, name: str) -> None:
    """Put the plain layer, with the adapter merged into it, in place of each adapted child."""
    for child_name, child in parent.named_children():
        if isinstance(child, BaseTunerLayer):
            child.merge(safe_merge=True, adapter_names=[name])
            setattr(parent, child_name, child.get_base_layer())
        elif isinstance(child, AuxiliaryTrainingWrapper):
            setattr(parent, child_name, child.unload_and_optionally_merge_module(True, True, [name]))
        else:
            _unwrap(child, name)
