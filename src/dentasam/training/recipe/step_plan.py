"""A recipe resolved for one step: what is trained on, how it is clicked, and at which rate.

A recipe says these things for the whole run, or for each of its stages. Samplers and loop ask the plan of a run for
a step, and need not know which of the two it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dentasam.prompts.click_schedule import ClickSchedule
from dentasam.training.recipe.learning_rate import rate_at
from dentasam.training.recipe.sections import ObjectWindows, Schedule, Stage
from dentasam.training.recipe.settings import Recipe
from dentasam.training.step.click_terms import ClickTerms
from dentasam.training.step.loss import MaskLoss
from dentasam.training.step.step_settings import StepSettings

# A stream of random numbers, different from those of samplers and clicks.
_KIND_STREAM = 21


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
    object_windows: how object windows are placed, in a step on them; None for whole images and crops.
    full_widths: the range of widths at which phantoms are drawn, in pixels; None to draw them at the frame's size.
    """

    number: int
    images: int
    objects_per_image: int
    crop: int | None
    shapes_share: float
    settings: StepSettings
    running_statistics: bool
    object_windows: ObjectWindows | None = None
    full_widths: tuple[int, int] | None = None


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
        recipe, stage = self.recipe, self._stage_at(step)
        rng = np.random.default_rng([_KIND_STREAM, recipe.seed, step])
        share = recipe.object_windows.share if stage is None else stage.object_windows
        windows = recipe.object_windows if rng.random() < share else None
        part: Schedule | Stage = recipe.schedule if stage is None else stage
        iterations = _drawn(part.iterations_drawn if windows is None else windows.iterations_drawn, rng)
        source: Recipe | Stage = recipe if stage is None else stage
        on_crops = step < round(recipe.crop.share * self.total_steps)
        crop = stage.window if stage is not None else recipe.crop.size if on_crops else None
        return StepPlan(
            step,
            source.batch_images,
            source.objects_per_image if windows is None else windows.objects_per_image,
            None if windows is not None else crop,
            0.0 if stage is None or windows is not None else stage.shapes_share,
            self._settings(part, windows, iterations),
            source.batch_norm == "running" and not recipe.choices_only,
            windows,
            recipe.phantoms.full_widths if share > 0 and (windows is not None or crop is None) else None,
        )

    def learning_rate(self, step: int, minutes: float) -> float:
        """The rate at a step that begins after so many minutes of the run."""
        return rate_at(self.recipe, step, self.total_steps, minutes)

    @property
    def statistics_ever_run(self) -> bool:
        """Whether batch norm statistics follow the images in any step."""
        running = any(part.batch_norm == "running" for part in self.recipe.stages or (self.recipe,))
        return running and not self.recipe.choices_only

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

    def _settings(
        self, prompts: Schedule | Stage, windows: ObjectWindows | None, iterations: int | None
    ) -> StepSettings:
        """windows: in a step on object windows, how they are placed. iterations: where their number is drawn."""
        recipe, weights = self.recipe, self.recipe.objective
        memory = recipe.decode_memory_mb
        return StepSettings(
            ClickSchedule(
                prompts.corrections if iterations is None else iterations - 1,
                prompts.mask_only if iterations is None else 0,
                prompts.random_share,
                prompts.random_first if windows is None else windows.random_first,
                prompts.box_first,
                recipe.schedule.done_dice,
                prompts.multimask_share,
            ),
            MaskLoss(weights.dice, weights.bce, weights.iou),
            # The pieces of the grid that the windowed loss is taken on would cover most of an object window.
            recipe.windowed_objective and windows is None,
            self.autocast,
            None if memory is None else memory * 2**20,
            ClickTerms(weights.region, weights.click),
        )


def _drawn(shares: dict[int, float], rng: np.random.Generator) -> int | None:
    """A number of iterations drawn by its share; None where there are no shares."""
    return int(rng.choice(list(shares), p=np.array(list(shares.values())) / sum(shares.values()))) if shares else None
