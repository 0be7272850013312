"""The gradient of one process's share of a batch, group by group of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from dentasam.data.teeth.category_kind import is_part
from dentasam.model.sam_hq import SamHQ
from dentasam.training.object_windows.window_batch import FRAME, window_batch
from dentasam.training.recipe.sections import ObjectWindows
from dentasam.training.recipe.settings import Recipe
from dentasam.training.recipe.step_plan import StepPlan
from dentasam.training.run.distributed import scale_gradients
from dentasam.training.samples.encoding import Encoding
from dentasam.training.samples.sample import Sample, encoder_groups
from dentasam.training.step.training_step import StepReport, train_step

# Streams of random numbers, different from those of the samplers.
_CLICK_STREAM, _DROPOUT_STREAM, _WINDOW_STREAM, _BOX_STREAM = 11, 12, 13, 14


@dataclass(frozen=True)
class BatchSums:
    """sums: loss, Dice after the first and Dice after the last iteration, each summed over `objects` objects."""

    sums: tuple[float, float, float]
    objects: int


def batch_gradient(
    model: SamHQ,
    parameters: Sequence[nn.Parameter],
    encoding: Encoding,
    samples: list[Sample],
    plan: StepPlan,
    recipe: Recipe,
) -> BatchSums:
    """Set the parameters' `grad` to that of the mean loss over all objects of the samples."""
    objects = 0
    sums = np.zeros(3)
    for group in encoder_groups(samples, recipe.images_at_once, any_frame=plan.object_windows is not None):
        count = sum(len(sample.masks) for sample in group)
        rng = _seeded(recipe.seed, plan.number, group[0].position)
        # `grad` is the mean over the n objects so far; the group's m objects make it
        # (n G + m g) / (n + m) = (n/m G + g) m/(n + m)
        scale_gradients(parameters, objects / count if objects else 1.0)
        report = _group_gradient(model, encoding, group, plan, recipe, rng)
        scale_gradients(parameters, count / (objects + count))
        objects += count
        sums += np.array([report.loss, report.dice_at_clicks[0], report.dice_at_clicks[-1]]) * count
    loss, dice_first, dice_last = sums.tolist()
    return BatchSums((loss, dice_first, dice_last), objects)


def _group_gradient(
    model: SamHQ, encoding: Encoding, group: list[Sample], plan: StepPlan, recipe: Recipe, rng: np.random.Generator
) -> StepReport:
    """One training step on images that go through the encoder together, or on the object windows of such images."""
    parts = [is_part(category) for sample in group for category in sample.categories]
    if plan.object_windows is not None:
        return _window_gradient(model, encoding, group, parts, plan, plan.object_windows, recipe, rng)
    masks = [sample.masks.to(model.device, non_blocking=True) for sample in group]
    return train_step(model, encoding.of_group(group), group[0].frame, masks, plan.settings, rng, parts=parts)


def _window_gradient(
    model: SamHQ,
    encoding: Encoding,
    group: list[Sample],
    parts: list[bool],
    plan: StepPlan,
    windows: ObjectWindows,
    recipe: Recipe,
    rng: np.random.Generator,
) -> StepReport:
    """Windows are drawn for each image by itself, so that they do not depend on its group."""
    by_box = (
        np.random.default_rng([_BOX_STREAM, recipe.seed, plan.number]).random() < plan.settings.schedule.box_first
    )
    rngs = [np.random.default_rng([_WINDOW_STREAM, recipe.seed, plan.number, sample.position]) for sample in group]
    batch = window_batch(model, encoding, group, windows, bool(by_box), recipe.augmentation, rngs)
    return train_step(model, batch.pixels, FRAME, batch.masks, plan.settings, rng, batch.given, parts=parts)


def _seeded(seed: int, step: int, position: int) -> np.random.Generator:
    """Seed torch for a group's dropout, and return the generator of its clicks."""
    torch.manual_seed(int(np.random.default_rng([_DROPOUT_STREAM, seed, step, position]).integers(2**62)))
    return np.random.default_rng([_CLICK_STREAM, seed, step, position])
