"""Saving an adapter: PEFT's files and the card."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from peft.functional import get_peft_model_state_dict
from safetensors.torch import save as serialize
from torch import Tensor, nn

from dentasam.errors import AdapterError
from dentasam.files.atomic_write import write_atomically
from dentasam.model.adapters.folder import CARD, CONFIG, KEY_PREFIX, WEIGHTS, AdapterCard
from dentasam.model.adapters.switching import adapter_names
from dentasam.model.checkpoints.finite import first_not_finite


def save_adapter(
    model: nn.Module, directory: str | Path, card: AdapterCard, name: str = "default", half: bool = True
) -> None:
    """Write the adapter `name` of `model` with its card; an interrupted save leaves every file complete.

    half: store floats as fp16, except for the statistics of batch norms, which exceed its range.
    Raises AdapterError for an unknown name or for weights that are not finite.
    """
    if name not in adapter_names(model):
        raise AdapterError(f"adapter {name!r} is not on this model; nothing to save in {directory}")
    weights = {KEY_PREFIX + key: _storable(key, tensor, half) for key, tensor in adapter_weights(model, name).items()}
    broken = first_not_finite(weights)
    if broken is not None:
        raise AdapterError(f"{directory}: {broken} is not finite, nothing written; train with a smaller rate")
    config = model.peft_config[name].to_dict()  # type: ignore[index, union-attr]
    config = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    config["inference_mode"] = True
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    # The card is replaced last: a folder with a new card has the weights that go with it.
    with (
        write_atomically(directory / CARD) as card_file,
        write_atomically(directory / CONFIG) as config_file,
        write_atomically(directory / WEIGHTS) as weights_file,
    ):
        # not save_file: it makes files that nobody but their owner may read
        weights_file.write_bytes(serialize(weights, metadata={"format": "pt"}))
        config_file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        card_file.write_text(json.dumps(asdict(card), indent=2) + "\n")


def adapter_weights(model: nn.Module, name: str = "default") -> dict[str, Tensor]:
    """The adapter's tensors under PEFT's names, without the adapter's own name in them."""
    # The state dict is passed in, because PEFT mistakes the bias of a lora_B for a damaged tensor when it reads it
    # itself.
    weights: dict[str, Tensor] = get_peft_model_state_dict(
        model, state_dict=model.state_dict(), adapter_name=name, save_embedding_layers=False
    )
    return weights


def _storable(key: str, tensor: Tensor, half: bool) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.half() if half and tensor.is_floating_point() and ".running_" not in f".{key}" else tensor
