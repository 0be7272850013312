"""The optimiser that moves the weights."""

from __future__ import annotations

import torch
from torch import nn

from dentasam.training.recipe.sections import Optimiser
from dentasam.training.run.muon import Muon


def build_optimiser(
    parameters: list[nn.Parameter], settings: Optimiser, arithmetic: torch.dtype | None = None
) -> torch.optim.Optimizer:
    """AdamW, Muon or SGD. Parameters of one dimension (norms, biases, tokens) get no weight decay.

    arithmetic: the type of reduced-precision arithmetic, or None; Muon uses it for its matrix products.
    """
    if settings.name == "muon":
        return Muon(parameters, settings.lr, settings.weight_decay, settings.betas, arithmetic)
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if settings.name == "sgd":
        return torch.optim.SGD(groups, lr=settings.lr, momentum=settings.betas[0])
    return torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas)
