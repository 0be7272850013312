"""The steps of a small network's training, from whose weights a running mean is kept; resumable to the same weights.

Item `step` of the batches depends on the step alone, so a run that was killed goes on as if it had not been.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from dentasam.errors import OutputError
from dentasam.progress import Update
from dentasam.training.recipe.chart_recipe import FinderTraining
from dentasam.training.recipe.sections import Optimiser
from dentasam.training.run.optimiser import build_optimiser
from dentasam.training.run.saved.state_file import read_state, write_state

_LAST_SHARE = 0.02
_CLIP_NORM = 2.0
_BETAS = (0.9, 0.99)


def train_averaged(
    network: nn.Module,
    settings: FinderTraining,
    loss: Callable[[nn.Module, int], Tensor],
    state_file: Path,
    checkpoint_every: int,
    update: Update,
) -> None:
    """Train a network, and leave the running mean of its weights in it.

    loss: the loss of the network on the batch of a step. state_file: what a killed run goes on from, if it is there.
    Raises OutputError where that is damaged or cannot be written.
    """
    optimiser = build_optimiser(
        list(network.parameters()),
        Optimiser(name="adamw", lr=settings.lr, weight_decay=settings.weight_decay, betas=_BETAS),
    )
    mean = {name: value.clone() for name, value in network.state_dict().items()}
    first = 0
    state = read_state(state_file)
    if state is not None:
        try:
            network.load_state_dict(state["network"])
            optimiser.load_state_dict(state["optimiser"])
            mean, first = state["mean"], state["step"]
        except (RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise OutputError(f"{state_file}: damaged ({type(error).__name__}); delete it and --resume") from None
    network.train()
    for step in range(first, settings.steps):
        for group in optimiser.param_groups:
            group["lr"] = settings.lr * _share(step, settings)
        value = loss(network, step)
        optimiser.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(network.parameters(), _CLIP_NORM)
        optimiser.step()
        kept = min(settings.average, (step + 1) / (step + 20))
        with torch.no_grad():
            for name, weights in network.state_dict().items():
                mean[name].lerp_(weights, 1 - kept)
        done = step + 1
        if done % checkpoint_every == 0 or done == settings.steps:
            _save(state_file, network, optimiser, mean, done)
        update(done, settings.steps, f"loss {float(value.detach()):.3f}")
    network.load_state_dict(mean)
    network.eval()


def _share(step: int, settings: FinderTraining) -> float:
    """The learning rate of a step as a share of the greatest."""
    warm = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    falling = 0.5 * (1 + math.cos(math.pi * step / settings.steps))
    return warm * (_LAST_SHARE + (1 - _LAST_SHARE) * falling)


def _save(
    path: Path, network: nn.Module, optimiser: torch.optim.Optimizer, mean: dict[str, Tensor], step: int
) -> None:
    state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "mean": mean, "step": step}
    write_state(path, state)
