"""The two stages of a chart head's training: the finder on stored views, then the numberer on sets of teeth."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import cast
from zipfile import BadZipFile

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dentasam.data.dataset import Dataset
from dentasam.errors import CheckpointError
from dentasam.files.sealed_file import is_whole, write_sealed
from dentasam.model.chart.finder import Finder
from dentasam.model.chart.head import ChartHead
from dentasam.model.chart.numberer import UNKNOWN, Numberer, padded
from dentasam.model.chart.shapes import SHAPE
from dentasam.model.checkpoints.reading import check_records
from dentasam.model.segmenter import Segmenter
from dentasam.progress import Update
from dentasam.training.chart.averaged_run import train_averaged
from dentasam.training.chart.encoded_views import phantom_view, view_of
from dentasam.training.chart.finder_loss import finder_loss, finder_targets
from dentasam.training.chart.number_sets import NumberSet, bent, drawn_set, found_set, varied_set
from dentasam.training.chart.view_store import EncodedView, batched, read_targets
from dentasam.training.chart.views import View
from dentasam.training.recipe.chart_recipe import ChartRecipe

_FINDER_STREAM, _BATCH_STREAM = 31, 33
_SMOOTHING = 0.02
# Found sets are made of one phantom for so many stored ones.
_FOUND_PHANTOMS = 5

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


def drawn_sets(views: Sequence[Path], update: Update) -> list[NumberSet]:
    """The teeth of all views as they are annotated; views without teeth are left out."""
    sets: list[NumberSet] = []
    for index, path in enumerate(views):
        sets.append(drawn_set(*read_targets(path)))
        update(index + 1, len(views))
    return [one for one in sets if len(one.outcomes)]


def found_sets(
    head: ChartHead, recipe: ChartRecipe, segmenter: Segmenter, training: Dataset, kept: Path, update: Update
) -> list[NumberSet]:
    """What the trained finder finds in views that it was not trained on, of each training image and of phantoms.

    kept: a file of the sets, which are made once, and again where the file is damaged.
    """
    sets = _kept_sets(kept)
    if sets is None:
        draws: list[Callable[[], View]] = [
            partial(view_of, recipe, image, recipe.views.per_image) for image in training.images
        ]
        phantoms = range(recipe.views.phantoms, recipe.views.phantoms + recipe.views.phantoms // _FOUND_PHANTOMS)
        draws += [partial(phantom_view, recipe, number) for number in phantoms]
        sets = []
        for index, draw in enumerate(draws):
            gray, _, targets = draw()
            image = segmenter.windows(np.rint(gray).clip(0, 255).astype(np.uint8), windows=False)
            sets.append(found_set(head, image, targets))
            update(index + 1, len(draws))
        _write_sets(kept, sets)
    return [one for one in sets if len(one.outcomes)]


def _write_sets(path: Path, sets: Sequence[NumberSet]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {f"{index}.{name}": part for index, one in enumerate(sets) for name, part in vars(one).items()}
    write_sealed(path, lambda file: np.savez(file, **arrays))


def _kept_sets(path: Path) -> list[NumberSet] | None:
    """The sets in a file; None where there is none, or where it is damaged."""
    parts = [one.name for one in fields(NumberSet) if one.name != "width"]
    try:
        if not path.is_file() or is_whole(path) is False:
            return None
        check_records(path)
        with np.load(path) as content:
            count = sum(name.endswith(".width") for name in content.files)
            return [
                NumberSet(
                    **{name: content[f"{index}.{name}"] for name in parts}, width=int(content[f"{index}.width"])
                )
                for index in range(count)
            ]
    except (CheckpointError, OSError, ValueError, LookupError, MemoryError, BadZipFile, zlib.error):
        return None


def train_numberer(
    head: ChartHead, recipe: ChartRecipe, sets: Sequence[NumberSet], state: Path, update: Update
) -> None:
    """Train the numberer."""

    def loss(numberer: nn.Module, step: int) -> Tensor:
        rng = np.random.default_rng([_BATCH_STREAM, recipe.seed, step])
        torch.manual_seed(int(rng.integers(2**31)))  # what dropout drops depends on the step alone
        chosen = rng.integers(len(sets), size=recipe.numberer.batch)
        batch = [varied_set(sets[int(index)], recipe.numberer, rng) for index in chosen]
        boxes, present = padded([torch.from_numpy(one.boxes) for one in batch])
        shapes = torch.zeros(*present.shape, *SHAPE)
        shapes[present] = bent(torch.from_numpy(np.concatenate([one.shapes for one in batch])), rng)
        seen, known = (torch.zeros(present.shape, dtype=kind) for kind in (torch.bool, torch.long))
        seen[present] = torch.from_numpy(np.concatenate([one.seen for one in batch]))
        known[present] = torch.from_numpy(np.concatenate([one.known for one in batch]))
        outcomes = torch.from_numpy(np.concatenate([one.outcomes for one in batch]))
        logits = cast(Numberer, numberer)(boxes, shapes, seen, known, present)[present]
        asked = known[present] == UNKNOWN
        if not asked.any():
            return logits.sum() * 0
        return F.cross_entropy(logits[asked], outcomes[asked], label_smoothing=_SMOOTHING)

    train_averaged(head.numberer, recipe.numberer, loss, state, 10 * recipe.checkpoint_every, update)
