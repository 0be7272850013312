"""Loading a saved adapter onto its base model.

The low-rank weights fit one base only, so loading compares the hash of the base with the one on the adapter's card.
All that the files contain is checked before the model uses it: an adapter may come from anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from peft.functional import set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from dentasam.documents.shown import MAX_REASON, cut, printable, shown
from dentasam.errors import AdapterError
from dentasam.files.regular_file import check_regular
from dentasam.model.adapters.conv_transpose_lora import register_conv_lora
from dentasam.model.adapters.folder import CONFIG, KEY_PREFIX, WEIGHTS, AdapterCard, find_adapter, json_object
from dentasam.model.adapters.lora import LoraSettings, inject, plain_modules, takes_lora, trains_whole
from dentasam.model.adapters.saving import adapter_weights
from dentasam.model.adapters.switching import active_adapter, remove_adapter, use_adapter
from dentasam.model.checkpoints.finite import first_not_finite

_SETTINGS = {  # PEFT's names of LoraSettings' fields
    "r": "rank",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "use_rslora": "rslora",
    "use_dora": "dora",
}
# PEFT's options that change what a layer computes, and which this package never writes.
_UNSUPPORTED = (
    *("alpha_pattern", "rank_pattern", "layers_to_transform", "layers_pattern", "layer_replication"),
    *("exclude_modules", "target_parameters", "trainable_token_indices", "fan_in_fan_out", "megatron_config"),
    *("use_qalora", "use_bdlora", "alora_invocation_tokens", "arrow_config", "kasa_config", "monteclora_config"),
    "velora_config",
)
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
# The count of the batches that a batch norm has seen.
_WHOLE = "num_batches_tracked"


def load_adapter(
    model: nn.Module,
    source: str | Path,
    base_sha256: str,
    name: str = "default",
    base_name: str = "the loaded model",
) -> AdapterCard:
    """Load a saved adapter onto `model` as `name` and make it the active one, frozen; returns its card.

    source: an adapter's folder, or the name of a bundled one.
    base_sha256, base_name: of the model's checkpoint.

    Raises AdapterError where the folder is not an adapter, is damaged or was trained on another base, or the name is
    in use. The model then computes what it computed before.
    """
    directory = find_adapter(source)
    card = AdapterCard.read(directory)
    if card.base_sha256 != base_sha256:
        trained_on = f"{cut(printable(card.base_model))} (sha256 {printable(card.base_sha256[:12])}…)"
        raise AdapterError(
            f"{directory}: trained on {trained_on}, but the base is {base_name} (sha256 {base_sha256[:12]}…); "
            "choose the adapter's own base"
        )
    weights = _read_weights(directory)
    config = _read_config(directory, card, model, weights)
    before = active_adapter(model)
    inject(model, config, name)
    difference = _difference(_shapes(adapter_weights(model, name)), _shapes(weights))
    if difference:
        remove_adapter(model, name)
        use_adapter(model, before)
        raise AdapterError(f"{directory / WEIGHTS}: {difference}; the adapter is of another model or damaged")
    set_peft_model_state_dict(model, weights, adapter_name=name)
    use_adapter(model, name)
    return card


def copy_adapter(model: nn.Module, source: str | Path, name: str = "default") -> None:
    """Give the adapter `name` of `model` the weights of a saved one, from which it is then trained on.

    source: an adapter's folder, or the name of a bundled one. It may be of another base of the same architecture.
    Raises AdapterError where the folder is not an adapter or is damaged, or is not of the same scope and settings.
    """
    directory = find_adapter(source)
    content, own = _config_content(directory / CONFIG), model.peft_config[name]  # type: ignore[index]
    for peft, ours in _SETTINGS.items():
        if ours != "dropout" and content.get(peft) != getattr(own, peft):
            raise AdapterError(
                f"{directory}: its lora.{ours} is {shown(content.get(peft))}, the recipe's {getattr(own, peft)}; "
                f"set lora.{ours} to the adapter's"
            )
    weights = _read_weights(directory)
    difference = _difference(_shapes(adapter_weights(model, name)), _shapes(weights))
    if difference:
        raise AdapterError(f"{directory / WEIGHTS}: {difference}; it is of another scope or architecture")
    set_peft_model_state_dict(model, weights, adapter_name=name)


def _read_config(directory: Path, card: AdapterCard, model: nn.Module, weights: Mapping[str, Tensor]) -> LoraConfig:
    """The PEFT config, from the fields this package writes alone: PEFT has others that load more files."""
    path = directory / CONFIG
    content = _config_content(path)
    targets, whole = content.get("target_modules"), content.get("modules_to_save") or []
    if not (_is_names(targets) and targets and _is_names(whole)):
        raise AdapterError(
            f"{path}: target_modules and modules_to_save must be lists of names; save the adapter again"
        )
    unfit = _unfit_layer(model, targets, whole)
    if unfit is not None:
        raise AdapterError(
            f"{path}: this model has no layer {cut(printable(unfit))} to adapt; choose the adapter's own base"
        )
    try:
        settings = {ours: content[peft] for peft, ours in _SETTINGS.items()}
        LoraSettings(scope=card.scope, **settings)  # type: ignore[arg-type]
        bias = content["lora_bias"]
        if not all(type(flag) is bool for flag in (bias, settings["rslora"], settings["dora"])):
            raise TypeError("lora_bias, use_rslora and use_dora are true or false")
    except (KeyError, TypeError, ValueError) as error:
        reason = cut(printable(str(error)), MAX_REASON)
        raise AdapterError(f"{path}: not a LoRA config of this package ({reason}); save the adapter again") from error
    if bias and settings["dora"]:
        raise AdapterError(f"{path}: use_dora with lora_bias is not supported; save the adapter again")
    ranks = {tensor.shape[0] for key, tensor in weights.items() if key.endswith("lora_A.weight") and tensor.ndim}
    if ranks != {settings["rank"]}:
        raise AdapterError(
            f"{path}: rank {settings['rank']}, but the weights have {shown(sorted(ranks))}; copy the adapter again"
        )
    return register_conv_lora(
        LoraConfig(
            **{peft: content[peft] for peft in _SETTINGS},
            lora_bias=bias,
            target_modules=targets,
            modules_to_save=whole or None,
            inference_mode=True,
        )
    )


def _config_content(path: Path) -> dict[str, Any]:
    """PEFT's config, of a kind of adapter that is supported. Raises AdapterError."""
    content = json_object(path)
    kind = content.get("peft_type")
    if kind != "LORA":
        raise AdapterError(f"{path}: peft_type is {shown(kind)}; only LORA adapters are supported")
    used = [name for name in _UNSUPPORTED if content.get(name)]
    if content.get("bias", "none") != "none":
        used.append("bias")
    # Others than these change the base's weights.
    if content.get("init_lora_weights", True) not in (True, False, "gaussian"):
        used.append("init_lora_weights")
    if used:
        raise AdapterError(f"{path}: {used[0]} {shown(content[used[0]])} is not supported; train without it")
    return content


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _unfit_layer(model: nn.Module, targets: list[str], whole: list[str]) -> str | None:
    """The first layer of a config that this model cannot adapt as the config says, or None.

    PEFT fails in the middle of its work on such a layer, with half of the model adapted.
    """
    layers = dict(plain_modules(model))
    for name in dict.fromkeys(targets[: len(layers) + 1]):
        # PEFT's rule: a target is a layer's name or the end of it
        matched = [layers[path] for path in layers if f".{path}".endswith(f".{name}")]
        if not matched or not all(map(takes_lora, matched)):
            return name
    if len(targets) > len(layers):
        return targets[-1]
    return next((name for name in whole if name not in layers or not trains_whole(layers[name])), None)


def _read_weights(directory: Path) -> dict[str, Tensor]:
    path = directory / WEIGHTS
    try:
        check_regular(path)
        weights = load_file(path)
    except (OSError, SafetensorError, ValueError, KeyError, RuntimeError) as error:
        reason = cut(printable(str(error)), MAX_REASON)
        raise AdapterError(f"{path}: damaged or cut short ({reason}); copy or save it again") from error
    other = next(
        (key for key, each in weights.items() if each.dtype not in _FLOATS and not key.endswith(_WHOLE)), None
    )
    if other is not None:
        what = f"{cut(printable(other), 120)} holds {weights[other].dtype}"
        raise AdapterError(f"{path}: {what}, not floating-point numbers; copy or save the adapter again")
    broken = first_not_finite(weights)
    if broken is not None:
        raise AdapterError(
            f"{path}: {cut(printable(broken), 120)} holds NaN or infinite numbers; take another adapter of the run"
        )
    return {key.removeprefix(KEY_PREFIX): tensor for key, tensor in weights.items()}


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {key: tensor.shape for key, tensor in weights.items()}


def _difference(expected: Mapping[str, torch.Size], found: Mapping[str, torch.Size]) -> str:
    missing, left = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    shapes = [key for key in expected if key in found and expected[key] != found[key]]
    parts = [
        f"{len(keys)} keys {what} (first: {cut(printable(keys[0]), 120)})"
        for keys, what in ((missing, "missing"), (left, "left over"), (shapes, "of another shape"))
        if keys
    ]
    return ", ".join(parts)
