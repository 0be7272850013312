"""How weights are moved: the optimiser and its rate at each step."""

from __future__ import annotations

import math

import torch
from torch import nn

from dentasam.training.recipe import Optimiser, Recipe
from dentasam.training.run.muon import Muon


def build_optimiser(
    parameters: list[nn.Parameter], settings: Optimiser, arithmetic: torch.dtype | None = None
) -> torch.optim.Optimizer:
    """AdamW, Muon or SGD; norms, biases and tokens of one dimension are not decayed.

    `arithmetic` is the type of reduced-precision arithmetic, which Muon takes where there is one.
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


def rate_at(recipe: Recipe, step: int, total_steps: int, minutes: float) -> float:
    """The rate at a step, by the stages where they name one, else by the optimiser's own settings."""
    if any(stage.lr_end is not None for stage in recipe.stages):
        return staged_rate(recipe, step)
    return learning_rate(recipe.optimiser, step, total_steps, minutes, recipe.budget.minutes)


def learning_rate(
    settings: Optimiser, step: int, total_steps: int, minutes: float = 0.0, limit: float | None = None
) -> float:
    """The rate at a step: linear warm-up, then a half cosine to 0 over what is further, steps or minutes."""
    if step < settings.warmup_steps:
        return settings.lr * (step + 1) / settings.warmup_steps
    if not settings.cosine:
        return settings.lr
    passed = (step - settings.warmup_steps) / max(1, total_steps - settings.warmup_steps)
    if limit is not None:
        passed = max(passed, minutes / limit)
    return settings.lr * 0.5 * (1 + math.cos(math.pi * min(passed, 1.0)))


def staged_rate(recipe: Recipe, step: int) -> float:
    """The rate at a step of a run whose stages name `lr_end`; the warm-up lies inside the first stages."""
    settings = recipe.optimiser
    begin, rate = 0, settings.lr
    for stage in recipe.stages:
        end = rate if stage.lr_end is None else stage.lr_end
        if step < begin + stage.steps:
            passed = (step - begin) / stage.steps
            rate = end + (rate - end) * 0.5 * (1 + math.cos(math.pi * passed))
            break
        begin, rate = begin + stage.steps, end
    return rate * min(1.0, (step + 1) / max(1, settings.warmup_steps))
