"""Which parameters of a network train: those of one adapter, and how many they are."""

from __future__ import annotations

from torch import nn

from dentasam.model.adapters.switching import use_adapter
from dentasam.model.decoder.mask_decoder import CHOICES


def mark_only_adapter_trainable(model: nn.Module, name: str = "default") -> None:
    """Make `name` the active adapter and the only part of the model that requires gradients. Raises AdapterError."""
    model.requires_grad_(False)
    use_adapter(model, name, trainable=True)


def keep_only_choices_trainable(model: nn.Module) -> None:
    """Of what trains, keep the hypernetworks of SAM's three masks and the scores: no other mask depends on them."""
    heads = [f"output_hypernetworks_mlps.{1 + choice}." for choice in range(CHOICES)]
    for name, parameter in model.named_parameters():
        if not any(head in name for head in (*heads, "iou_prediction_head.")):
            parameter.requires_grad_(False)


def trainable_parameters(model: nn.Module) -> list[nn.Parameter]:
    """The parameters for the optimizer, in the model's order."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def trainable_share(model: nn.Module) -> tuple[int, int]:
    """Number of parameters that train, and of all parameters of the network with its adapters."""
    sizes = [(parameter.requires_grad, parameter.numel()) for parameter in model.parameters()]
    return sum(size for trains, size in sizes if trains), sum(size for _, size in sizes)


def trainable_line(model: nn.Module) -> str:
    """The trainable share as a line to print."""
    trainable, total = trainable_share(model)
    return f"{trainable:,} of {total:,} parameters train ({trainable / max(total, 1):.1%})"


def freeze_statistics(model: nn.Module) -> None:
    """Let batch norms use their stored mean and variance while the rest of the model is in training mode.

    To be called after every `model.train()`: the statistics of one image a step would be too noisy, and the stored
    ones belong to the base that the adapter is saved for.
    """
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
