"""A recipe resolved for one step: what is trained on, how it is clicked, and at which rate.

A recipe says these things for the whole run, or for each of its stages. Samplers and loop ask the plan of a run for
a step, and need not know which of the two it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dentasam.prompts.click_schedule import ClickSchedule
from dentasam.training.recipe.learning_rate import rate_at
from dentasam.training.recipe.settings import Recipe, Schedule, Stage
from dentasam.training.step.click_terms import ClickTerms
from dentasam.training.step.loss import MaskLoss
from dentasam.training.step.step_settings import StepSettings


@dataclass(frozen=True)
class StepPlan:
    """One optimiser step.

    number: of the step, counted from 0.
    images: in the step's batch, over all processes.
    objects_per_image: the most that are trained on.
    crop: side of the crops that are trained on, in frame pixels; None for whole images.
    shapes_share: share of the images that show textured shapes instead of a phantom, where they are drawn.
    settings: how the objects are clicked, and the loss.
    running_statistics: whether batch norm statistics follow the images, or stay as they are.
    """

    number: int
    images: int
    objects_per_image: int
    crop: int | None
    shapes_share: float
    settings: StepSettings
    running_statistics: bool


@dataclass(frozen=True)
class RunPlan:
    """The plans of all steps of a run.

    total_steps: how many there are. autocast: the type of reduced-precision arithmetic, or None.
    """

    recipe: Recipe
    total_steps: int
    autocast: torch.dtype | None = None

    @classmethod
    def of(cls, recipe: Recipe, images: int, autocast: torch.dtype | None = None) -> RunPlan:
        """The plan of a run over `images` training images."""
        return cls(recipe, recipe.total_steps(images), autocast)

    def at(self, step: int) -> StepPlan:
        """The plan of a step; a step after the last is planned as if the run went on."""
        recipe = self.recipe
        stage = self._stage_at(step)
        if stage is not None:
            return StepPlan(
                step,
                stage.batch_images,
                stage.objects_per_image,
                stage.window,
                stage.shapes_share,
                self._settings(stage),
                stage.batch_norm == "running",
            )
        on_crops = step < round(recipe.crop.share * self.total_steps)
        return StepPlan(
            step,
            recipe.batch_images,
            recipe.objects_per_image,
            recipe.crop.size if on_crops else None,
            0.0,
            self._settings(recipe.schedule),
            recipe.batch_norm == "running",
        )

    def learning_rate(self, step: int, minutes: float) -> float:
        """The rate at a step that begins after so many minutes of the run."""
        return rate_at(self.recipe, step, self.total_steps, minutes)

    @property
    def statistics_ever_run(self) -> bool:
        """Whether batch norm statistics follow the images in any step."""
        return any(part.batch_norm == "running" for part in self.recipe.stages or (self.recipe,))

    @property
    def batch_sizes(self) -> list[int]:
        """Images in a step's batch: all numbers that occur, in ascending order."""
        return sorted({part.batch_images for part in self.recipe.stages or (self.recipe,)})

    def _stage_at(self, step: int) -> Stage | None:
        """The stage that a step belongs to (the last one for any later step), None for a run without stages."""
        end = 0
        for stage in self.recipe.stages:
            end += stage.steps
            if step < end:
                return stage
        return self.recipe.stages[-1] if self.recipe.stages else None

    def _settings(self, prompts: Schedule | Stage) -> StepSettings:
        recipe, weights = self.recipe, self.recipe.objective
        memory = recipe.decode_memory_mb
        return StepSettings(
            ClickSchedule(
                prompts.corrections,
                prompts.mask_only,
                prompts.random_share,
                prompts.random_first,
                prompts.box_first,
                recipe.schedule.done_dice,
                prompts.multimask_share,
            ),
            MaskLoss(weights.dice, weights.bce, weights.iou),
            recipe.windowed_objective,
            self.autocast,
            None if memory is None else memory * 2**20,
            ClickTerms(weights.region, weights.click),
        )
