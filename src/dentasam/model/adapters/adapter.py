"""Adapters on disk: PEFT's two files and a card, `dentasam.json`, that says what they were trained on.

    adapter_config.json         PEFT: rank, layers, ...
    adapter_model.safetensors   PEFT: the weights, in half precision
    dentasam.json               AdapterCard: base model and its hash, scope, recipe, data, scores

The low-rank weights mean something on one base only, so loading compares the hash of the base with the
card's. Everything a file says is checked before the model uses it: an adapter may come from anywhere.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from peft.functional import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialize
from torch import Tensor, nn

from dentasam.errors import AdapterError
from dentasam.model.adapters.conv_transpose_lora import register_conv_lora
from dentasam.model.adapters.lora import (
    LoraSettings,
    active_adapter,
    adapter_names,
    inject,
    plain_modules,
    remove_adapter,
    takes_lora,
    trains_whole,
    use_adapter,
)
from dentasam.model.checkpoints.checkpoint import first_not_finite
from dentasam.version import __version__

CARD, CONFIG, WEIGHTS = "dentasam.json", "adapter_config.json", "adapter_model.safetensors"
BUNDLED = Path(__file__).parents[2] / "assets" / "adapters"
# PEFT writes the keys of a wrapped model, so that `PeftModel.from_pretrained` finds them.
_PREFIX = "base_model.model."
_SETTINGS = {  # PEFT's names of LoraSettings' fields
    "r": "rank",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "use_rslora": "rslora",
    "use_dora": "dora",
}


@dataclass(frozen=True)
class AdapterCard:
    """What an adapter is.

    base_sha256 is the hash of the base's checkpoint file; scope one of `SCOPES`; scores takes any metric.
    """

    base_model: str
    base_sha256: str
    scope: str
    recipe: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    scores: dict[str, Any] = field(default_factory=dict)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    dentasam: str = __version__

    @classmethod
    def read(cls, directory: Path) -> AdapterCard:
        """Read the card of an adapter's folder. Raises AdapterError."""
        content = _read_json(directory / CARD)
        types = {f.name: dict if f.name in ("recipe", "scores") else str for f in fields(cls)}
        wrong = [name for name, kind in types.items() if not isinstance(content.get(name), kind)]
        if wrong:
            raise AdapterError(f"{directory / CARD}: {', '.join(wrong)} missing or of another type; save it again")
        return cls(**{name: content[name] for name in types})


def save_adapter(
    model: nn.Module, directory: str | Path, card: AdapterCard, name: str = "default", half: bool = True
) -> None:
    """Write the adapter `name` of `model` with its card. A killed save leaves no torn file.

    half: floats as fp16, apart from the statistics of batch norms, whose range fp16 does not hold.
    Raises AdapterError for an unknown name or for weights that are not finite.
    """
    if name not in adapter_names(model):
        raise AdapterError(f"adapter {name!r} is not on this model; nothing to save in {directory}")
    weights = {_PREFIX + key: _storable(key, tensor, half) for key, tensor in adapter_weights(model, name).items()}
    broken = first_not_finite(weights)
    if broken is not None:
        raise AdapterError(f"{directory}: {broken} is not finite, nothing written; train with a smaller rate")
    config = model.peft_config[name].to_dict()  # type: ignore[index, union-attr]
    config = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    config["inference_mode"] = True
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".saving-", dir=directory) as folder:
        written = Path(folder)
        # not save_file: it makes files that nobody but their owner may read
        (written / WEIGHTS).write_bytes(serialize(weights, metadata={"format": "pt"}))
        (written / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        (written / CARD).write_text(json.dumps(asdict(card), indent=2) + "\n")
        for file in (WEIGHTS, CONFIG, CARD):
            os.replace(written / file, directory / file)


def load_adapter(
    model: nn.Module,
    source: str | Path,
    base_sha256: str,
    name: str = "default",
    base_name: str = "the loaded model",
) -> AdapterCard:
    """Put a saved adapter on `model` as `name`, make it the active one, frozen; returns its card.

    source: an adapter's folder, or the name of a bundled one.
    base_sha256, base_name: of the model's checkpoint.

    Raises AdapterError where the folder is no adapter, is damaged or was trained on another base, or the name
    is in use; the model then computes what it computed before.
    """
    directory = find_adapter(source)
    card = AdapterCard.read(directory)
    if card.base_sha256 != base_sha256:
        raise AdapterError(
            f"{directory}: trained on {card.base_model} (sha256 {card.base_sha256[:12]}…), but the base is "
            f"{base_name} (sha256 {base_sha256[:12]}…); choose the adapter's own base"
        )
    weights = _read_weights(directory)
    config = _read_config(directory, card, model, weights)
    before = active_adapter(model)
    inject(model, config, name)
    fault = _difference(_shapes(adapter_weights(model, name)), _shapes(weights))
    if fault:
        remove_adapter(model, name)
        use_adapter(model, before)
        raise AdapterError(f"{directory / WEIGHTS}: {fault}; the adapter is of another model or damaged")
    set_peft_model_state_dict(model, weights, adapter_name=name)
    use_adapter(model, name)
    return card


def adapter_weights(model: nn.Module, name: str = "default") -> dict[str, Tensor]:
    """The adapter's tensors under PEFT's names, without the adapter's own name in them."""
    # PEFT takes the bias of a lora_B for a torn tensor, but only in a state dict it reads itself.
    weights: dict[str, Tensor] = get_peft_model_state_dict(
        model, state_dict=model.state_dict(), adapter_name=name, save_embedding_layers=False
    )
    return weights


def find_adapter(source: str | Path) -> Path:
    """The folder of an adapter: a path, or the name of a bundled adapter. Raises AdapterError."""
    path = Path(source)
    if not path.exists() and str(source) in bundled_adapters():
        path = BUNDLED / str(source)
    if not path.exists():
        bundled = ", ".join(bundled_adapters()) or "none"
        raise AdapterError(f"{source}: no such adapter folder, nor a bundled adapter (bundled: {bundled})")
    if not path.is_dir():
        raise AdapterError(f"{source}: a file; an adapter is the folder with {CONFIG}, {WEIGHTS} and {CARD}")
    missing = [file for file in (CONFIG, WEIGHTS, CARD) if not (path / file).is_file()]
    if missing:
        raise AdapterError(f"{source}: not a complete adapter, {', '.join(missing)} missing; give the saved folder")
    return path


def bundled_adapters() -> list[str]:
    """Names of the adapters that come with the package."""
    return sorted(path.parent.name for path in BUNDLED.glob(f"*/{CARD}"))


def _storable(key: str, tensor: Tensor, half: bool) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.half() if half and tensor.is_floating_point() and ".running_" not in f".{key}" else tensor


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise AdapterError(f"{path}: not readable as JSON ({error}); save the adapter again") from error
    if not isinstance(content, dict):
        raise AdapterError(f"{path}: not a JSON object; save the adapter again")
    return content


def _read_config(directory: Path, card: AdapterCard, model: nn.Module, weights: Mapping[str, Tensor]) -> LoraConfig:
    """The PEFT config, from the fields this package writes alone: PEFT has others that load more files."""
    path = directory / CONFIG
    content = _read_json(path)
    targets, whole = content.get("target_modules"), content.get("modules_to_save") or []
    if content.get("peft_type") != "LORA":
        raise AdapterError(f"{path}: peft_type is {content.get('peft_type')!r}; only LORA adapters are supported")
    if not (_is_names(targets) and targets and _is_names(whole)):
        raise AdapterError(
            f"{path}: target_modules and modules_to_save must be lists of names; save the adapter again"
        )
    unfit = _unfit_layer(model, targets, whole)
    if unfit is not None:
        raise AdapterError(f"{path}: this model has no layer {unfit} to adapt; choose the adapter's own base")
    try:
        settings = {ours: content[peft] for peft, ours in _SETTINGS.items()}
        LoraSettings(scope=card.scope, **settings)  # type: ignore[arg-type]
        bias = bool(content["lora_bias"])
    except (KeyError, TypeError, ValueError) as error:
        raise AdapterError(f"{path}: not a LoRA config of this package ({error}); save the adapter again") from error
    ranks = {tensor.shape[0] for key, tensor in weights.items() if key.endswith("lora_A.weight")}
    if ranks != {settings["rank"]}:
        raise AdapterError(f"{path}: rank {settings['rank']}, but the weights have {ranks}; copy the adapter again")
    return register_conv_lora(
        LoraConfig(
            **{peft: content[peft] for peft in _SETTINGS},
            lora_bias=bias,
            target_modules=targets,
            modules_to_save=whole or None,
            inference_mode=True,
        )
    )


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _unfit_layer(model: nn.Module, targets: list[str], whole: list[str]) -> str | None:
    """The first layer of a config that this model cannot adapt as the config says, or None.

    PEFT fails in the middle of its work on such a layer, with half of the model adapted.
    """
    layers = dict(plain_modules(model))
    for name in targets:
        # PEFT's rule: a target is a layer's name or the end of it
        matched = [layers[path] for path in layers if f".{path}".endswith(f".{name}")]
        if not matched or not all(map(takes_lora, matched)):
            return name
    return next((name for name in whole if name not in layers or not trains_whole(layers[name])), None)


def _read_weights(directory: Path) -> dict[str, Tensor]:
    path = directory / WEIGHTS
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise AdapterError(f"{path}: damaged or cut short ({error}); copy or save it again") from error
    broken = first_not_finite(weights)
    if broken is not None:
        raise AdapterError(f"{path}: {broken} holds NaN or infinite numbers; take another adapter of the run")
    return {key.removeprefix(_PREFIX): tensor for key, tensor in weights.items()}


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {key: tensor.shape for key, tensor in weights.items()}


def _difference(expected: Mapping[str, torch.Size], found: Mapping[str, torch.Size]) -> str:
    missing, left = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    shapes = [key for key in expected if key in found and expected[key] != found[key]]
    parts = [
        f"{len(keys)} keys {what} (first: {keys[0]})"
        for keys, what in ((missing, "missing"), (left, "left over"), (shapes, "of another shape"))
        if keys
    ]
    return ", ".join(parts)
