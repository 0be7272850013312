"""The adapters on a network: which there are, which one is active, switching and removing."""

from __future__ import annotations

from peft.functional import delete_adapter, set_adapter
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import AuxiliaryTrainingWrapper
from torch import nn

from dentasam.errors import AdapterError


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
    """Make `name` the active adapter, or compute with the base alone for None.

    Nothing is copied or loaded, and None gives exactly the base's outputs. Embeddings encoded with another adapter
    become invalid: every scope changes the encoder or the HQ features.
    trainable: whether the adapter's parameters require gradients.
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
    """Remove the adapter `name` from the model; if it was active, the base alone is active afterwards.

    Raises AdapterError for an unknown name.
    """
    before = active_adapter(model)
    use_adapter(model, name)
    for module in model.modules():
        if isinstance(module, (BaseTunerLayer, AuxiliaryTrainingWrapper)):
            # Otherwise PEFT would make another adapter active, layer by layer.
            module.set_adapter([])
    delete_adapter(model, name, prefix="lora_")
    del model.peft_config[name]  # type: ignore[operator, union-attr]
    use_adapter(model, None if before == name else before)
