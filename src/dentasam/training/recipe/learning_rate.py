"""The learning rate of each step."""

from __future__ import annotations

import math

from dentasam.training.recipe.sections import Optimiser
from dentasam.training.recipe.settings import Recipe


def rate_at(recipe: Recipe, step: int, total_steps: int, minutes: float) -> float:
    """The rate at a step: that of the stages where they name one, else that of the optimiser's own settings.

    minutes: how long the run has taken so far.
    """
    if any(stage.lr_end is not None for stage in recipe.stages):
        return staged_rate(recipe, step)
    return learning_rate(recipe.optimiser, step, total_steps, minutes, recipe.budget.minutes)


def learning_rate(
    settings: Optimiser, step: int, total_steps: int, minutes: float = 0.0, limit: float | None = None
) -> float:
    """A linear warm-up, then a half cosine to 0 over steps or minutes, whichever is closer to its limit."""
    if step < settings.warmup_steps:
        return settings.lr * (step + 1) / settings.warmup_steps
    if not settings.cosine:
        return settings.lr
    passed = (step - settings.warmup_steps) / max(1, total_steps - settings.warmup_steps)
    if limit is not None:
        passed = max(passed, minutes / limit)
    return settings.lr * 0.5 * (1 + math.cos(math.pi * min(passed, 1.0)))


def staged_rate(recipe: Recipe, step: int) -> float:
    """The rate at a step of a run whose stages name `lr_end`; the warm-up is laid over the first steps."""
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
