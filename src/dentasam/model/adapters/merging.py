"""Merging an adapter into the weights of its base, as a plain network without adapters."""

from __future__ import annotations

import copy
from typing import TypeVar

from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import AuxiliaryTrainingWrapper
from torch import nn

from dentasam.errors import AdapterError
from dentasam.model.adapters.switching import use_adapter

Module = TypeVar("Module", bound=nn.Module)


def merge_adapter(model: Module, name: str = "default", source: str | None = None) -> Module:
    """A plain copy of the network that computes what `model` computes with the adapter `name`.

    Its parameters have the names of a network without adapters; `model` stays as it is. source: what the user calls
    the adapter, such as its folder, where that is not `name`.
    Raises AdapterError for an unknown name or an adapter that is not finite.
    """
    merged = copy.deepcopy(model)
    use_adapter(merged, name)
    try:
        _unwrap(merged, name)
    except ValueError as error:
        reason = str(error).replace(f"The adapter {name} ", "The adapter ").rstrip(".")
        raise AdapterError(f"the adapter {source or name} cannot be merged ({reason}); train it again") from error
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
