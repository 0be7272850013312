"""The two stages of a chart head's training: the finder on stored views, then the numberer on what it sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dentasam.model.chart.finder import Finder
from dentasam.model.chart.head import ChartHead
from dentasam.model.chart.numberer import Numberer, padded
from dentasam.progress import Update
from dentasam.training.chart.averaged_run import train_averaged
from dentasam.training.chart.finder_loss import finder_loss, finder_targets
from dentasam.training.chart.number_sets import NumberSet, number_sets, varied_set
from dentasam.training.chart.view_store import EncodedView, batched
from dentasam.training.recipe.chart_recipe import ChartRecipe

_FINDER_STREAM, _SET_STREAM, _BATCH_STREAM = 31, 32, 33
_SMOOTHING = 0.02

Views = Sequence[Callable[[], EncodedView]]


def train_finder(head: ChartHead, recipe: ChartRecipe, views: Views, state: Path, update: Update) -> None:
    """Train the finder. views: read when they are needed, because they may not fit into memory."""

    def loss(finder: nn.Module, step: int) -> Tensor:
        rng = np.random.default_rng([_FINDER_STREAM, recipe.seed, step])
        chosen = [views[int(index)]() for index in rng.integers(len(views), size=recipe.finder.batch)]
        features, fine = batched(chosen)
        targets = finder_targets(
            [view.targets for view in chosen],
            [view.grid for view in chosen],
            (fine.shape[-2], fine.shape[-1]),
            [view.implants for view in chosen],
        )
        return finder_loss(cast(Finder, finder)(features, fine), targets)[0]

    train_averaged(head.finder, recipe.finder, loss, state, recipe.checkpoint_every, update)


def all_sets(head: ChartHead, recipe: ChartRecipe, views: Views, update: Update) -> list[NumberSet]:
    """The sets of teeth of all views, as the trained finder sees them."""
    head.eval()
    sets: list[NumberSet] = []
    for index, read in enumerate(views):
        sets += number_sets(head.finder, read(), np.random.default_rng([_SET_STREAM, recipe.seed, index]))
        update(index + 1, len(views))
    return sets


def train_numberer(
    head: ChartHead, recipe: ChartRecipe, sets: Sequence[NumberSet], state: Path, update: Update
) -> None:
    """Train the numberer."""

    def loss(numberer: nn.Module, step: int) -> Tensor:
        rng = np.random.default_rng([_BATCH_STREAM, recipe.seed, step])
        chosen = rng.integers(len(sets), size=recipe.numberer.batch)
        batch = [varied_set(sets[int(index)], recipe.numberer, rng) for index in chosen]
        boxes, present = padded([torch.from_numpy(one.boxes) for one in batch])
        looks, _ = padded([torch.from_numpy(one.looks) for one in batch])
        seen = padded([torch.from_numpy(one.seen)[:, None].float() for one in batch])[0][..., 0] > 0
        outcomes = torch.cat([torch.from_numpy(one.outcomes) for one in batch])
        logits = cast(Numberer, numberer)(boxes, looks, seen, present)[present]
        return F.cross_entropy(logits, outcomes, label_smoothing=_SMOOTHING)

    train_averaged(head.numberer, recipe.numberer, loss, state, 10 * recipe.checkpoint_every, update)
