"""A run: what it works on, and what its loop does with it (step, validate, checkpoint)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from rich.console import Console
from torch import nn

from dentasam.data.notices import notice
from dentasam.errors import OutputError, RecipeError
from dentasam.files.full_disk import full_disk
from dentasam.model.adapters.folder import AdapterCard, AdapterIdentity
from dentasam.model.adapters.loading import copy_adapter
from dentasam.model.adapters.lora import LoraSettings, add_lora, first_adapted
from dentasam.model.adapters.saving import save_adapter
from dentasam.model.adapters.trainable import (
    freeze_statistics,
    keep_only_choices_trainable,
    trainable_line,
    trainable_parameters,
)
from dentasam.model.checkpoints.saving import save_checkpoint
from dentasam.model.core.precision import autocast_type
from dentasam.model.sam_hq import SamHQ
from dentasam.training.recipe.settings import Recipe
from dentasam.training.recipe.step_plan import RunPlan, StepPlan
from dentasam.training.run import distributed
from dentasam.training.run.batch_gradient import batch_gradient
from dentasam.training.run.optimiser import build_optimiser
from dentasam.training.run.progress_line import ProgressLine
from dentasam.training.run.saved import run_state
from dentasam.training.run.saved.best_weights import BestWeights
from dentasam.training.run.saved.run_inputs import INPUTS, Input, RunInputs
from dentasam.training.run.saved.run_origin import RunOrigin
from dentasam.training.run.saved.state_file import state_at, way_on
from dentasam.training.run.validation import CurveSums, click_curve, validation_samples
from dentasam.training.run.window_validation import window_curve
from dentasam.training.samples.embedding_cache import EmbeddingCache
from dentasam.training.samples.encoding import Encoding
from dentasam.training.samples.image_samples import TrainingSamples
from dentasam.training.samples.phantom_samples import PhantomSamples
from dentasam.training.samples.sample import Sample, StepSamples
from dentasam.training.samples.sources import Source


@dataclass(frozen=True)
class Base:
    """The model that the adapter is trained on, for the adapter's card: its name, its hash, and words on the data.

    training, validation: the datasets by content; None for images that the recipe describes.
    """

    name: str
    sha256: str
    data: str = ""
    training: Input | None = None
    validation: Input | None = None

    def inputs(self, recipe: Recipe) -> RunInputs:
        """What a run of the recipe works on. Raises AdapterError where the adapter to start from is missing."""
        adapter = None if recipe.adapter is None else Input.of_adapter(AdapterIdentity.of(recipe.adapter))
        return RunInputs(Input(self.name, "", self.sha256), adapter, self.training, self.validation)


class TrainingRun:
    """A run and what it changes: the weights, the optimiser's state, and its progress.

    plan: what the recipe asks for in each step. tensors: everything that training changes, by name.
    """

    def __init__(
        self,
        model: SamHQ,
        recipe: Recipe,
        source: Source,
        validation: Source | None,
        out: Path,
        base: Base,
        accelerator: Accelerator,
    ) -> None:
        self.recipe, self.out, self.base = recipe, out, base
        self.accelerator, self.device = accelerator, accelerator.device
        self.is_main = accelerator.is_main_process
        self.validation, self.images = validation, len(source)
        self.autocast = autocast_type(recipe.precision, self.device)
        self.plan = RunPlan.of(recipe, len(source), self.autocast)
        self.progress = run_state.RunProgress()
        self.best = BestWeights(out, full=recipe.scope == "full")
        self.inputs = base.inputs(recipe)

        torch.manual_seed(recipe.seed)
        self.model = _trainable(model, recipe, base.name).to(self.device)
        self.parameters = trainable_parameters(model)
        self.tensors = run_state.trained_tensors(model, self.plan.statistics_ever_run)
        self.optimiser = build_optimiser(self.parameters, recipe.optimiser, self.autocast)

        self.cache = self._open_cache()
        self.encoding = Encoding(model, recipe.encoder_frozen, self.cache, self.autocast)
        place = accelerator.process_index, accelerator.num_processes
        self.samples: StepSamples = (
            PhantomSamples(self.plan, *place)
            if recipe.stages
            else TrainingSamples(source, self.plan, *place, self.cache)
        )

    def resume(self) -> None:
        """Go on from the state in the run's folder, if there is one.

        Raises OutputError as `load_state`, and as `check_best` where the run has ended.
        """
        inputs = self.inputs if (self.out / INPUTS).exists() else None
        self.progress = run_state.load_state(
            self.out, self.tensors, self.optimiser, self.base.sha256, RunOrigin(self.recipe, inputs)
        )
        kept = self._best_are_kept()
        self.accelerator.wait_for_everyone()
        if not kept:
            self._settle_best(has_ended=self.progress.step >= self.plan.total_steps or self.out_of_patience())

    def check_best(self) -> None:
        """At the end: the best weights are those in the run's folder, or are saved again where that is possible.

        Raises OutputError where they are gone.
        """
        if self.is_main and not self._best_are_kept():
            self._settle_best(has_ended=True)

    def step(self, plan: StepPlan, samples: list[Sample], seconds: float) -> dict[str, Any]:
        """One optimiser step on this process's samples; returns the row for metrics.jsonl.

        seconds: how long the run has taken so far.
        """
        self.model.train()
        if not plan.running_statistics:
            freeze_statistics(self.model)
        self.optimiser.zero_grad(set_to_none=True)
        own = batch_gradient(self.model, self.parameters, self.encoding, samples, plan, self.recipe)

        shares = [*own.sums, own.objects, seconds / self.accelerator.num_processes]
        *sums, objects, elapsed = distributed.total(self.accelerator, shares)
        loss, dice_first, dice_last = (value / max(objects, 1) for value in sums)
        if not math.isfinite(loss):
            raise RecipeError(
                f"{self.out / run_state.RECIPE}: the loss is not finite at step {plan.number + 1}; "
                "lower optimiser.lr, raise optimiser.warmup_steps, or set precision to fp32"
            )
        distributed.average_gradients(self.accelerator, self.parameters, own.objects)

        minutes = elapsed / 60
        rate = self.plan.learning_rate(plan.number, minutes)
        norm = math.nan
        if objects:
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            norm = self._clip_gradients()
            self.optimiser.step()
        if plan.running_statistics:
            distributed.average_statistics(self.accelerator, self.model)
        self.progress.step += 1
        return {
            "kind": "step",
            "step": self.progress.step,
            "loss": loss,
            "dice_first": dice_first,
            "dice_last": dice_last,
            "objects": int(objects),
            "lr": rate,
            "gradient_norm": norm if math.isfinite(norm) else None,
            "minutes": minutes,
        }

    def validate(self, line: ProgressLine) -> dict[str, Any]:
        """Measure the click curve, and keep the weights if they are the best; returns the row for metrics.jsonl."""
        assert self.validation is not None
        progress, settings = self.progress, self.recipe.validation
        curve = self._click_curve(self.validation, line)
        # The curve is that of the single mask, which the three masks' training leaves as it is: the last are kept.
        gained = self.recipe.choices_only or curve.score > progress.best_score
        if gained:
            progress.best_score, progress.best_step = curve.score, progress.step
            progress.dice_at_clicks = curve.dice_at_clicks
            progress.without_gain = 0
            if self.is_main:
                self._save_best()
        elif self.plan.at(progress.step).crop is None:  # steps on crops do not count against the patience
            progress.without_gain += 1
        dice = " ".join(f"{value:.3f}" for value in curve.dice_at_clicks)
        line.say(
            f"validation at step {progress.step}: Dice@1…{settings.clicks} {dice}  mean {curve.score:.4f}"
            + ("  best so far" if gained else f"  (best {progress.best_score:.4f} at {progress.best_step})")
        )
        row = {
            "kind": "validation",
            "step": progress.step,
            "score": curve.score,
            "dice_at_clicks": curve.dice_at_clicks,
            "objects": curve.objects,
        }
        if self.recipe.trains_object_windows:
            row["unheeded"] = curve.unheeded / max(1, curve.given)
        return row

    def out_of_patience(self) -> bool:
        """Whether as many validations brought no gain as the recipe allows."""
        patience = self.recipe.validation.patience
        return patience is not None and self.progress.without_gain >= patience

    def checkpoint(self) -> None:
        """Write the state to resume from; without validation images the last weights are also the best."""
        if self.is_main:
            if self.validation is None:
                self.progress.best_step = self.progress.step
                self._save_best()
            origin = RunOrigin(self.recipe, self.inputs)
            run_state.save_state(self.out, self.progress, self.tensors, self.optimiser, self.base.sha256, origin)
            if not (self.out / INPUTS).exists():
                self.inputs.write(self.out)
        self.accelerator.wait_for_everyone()

    def announce(self, console: Console) -> None:
        """Print what is trained, for how many steps, and on what."""
        kind = "fp32" if self.autocast is None else "bf16"
        batches = " or ".join(map(str, self.plan.batch_sizes))
        console.print(
            f"{trainable_line(self.model)}; scope {self.recipe.scope}, {self.images} images, "
            f"{self.plan.total_steps} steps of {batches}, "
            f"{self.accelerator.num_processes} process(es) on {self.device} in {kind}",
            highlight=False,
            soft_wrap=True,
        )
        if self.progress.step:
            console.print(f"resuming after step {self.progress.step}", highlight=False)

    def announce_cache(self, console: Console) -> None:
        """Print how much the embedding cache holds, where there is one."""
        if self.is_main and self.cache is not None:
            count, size = self.cache.size()
            console.print(f"embedding cache: {count} outputs, {size / 2**20:.0f} MB", highlight=False)

    def _click_curve(self, source: Source, line: ProgressLine) -> CurveSums:
        """The click curve over the validation images of all processes."""
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        settings = self.recipe.validation
        self.model.eval()
        samples = validation_samples(source, self.recipe, self.cache, rank, processes)
        count = -(-min(settings.images, len(source)) // processes)
        samples = line.counted(f"validation at step {self.progress.step}", samples, count)
        measure = window_curve if self.recipe.trains_object_windows else click_curve
        own = measure(self.model, samples, settings.clicks, self.encoding.output, self.autocast)
        *dice, objects, unheeded, given = distributed.total(
            self.accelerator, [*own.dice.tolist(), own.objects, own.unheeded, own.given]
        )
        return CurveSums(np.array(dice), int(objects), int(unheeded), int(given))

    def _best_are_kept(self) -> bool:
        return not self.progress.best_step or self.best.fit(self.progress.best_sha256)

    def _settle_best(self, has_ended: bool) -> None:
        """Where the best weights are missing or others: save them again, or look for the best from here on.

        A run that was killed after a validation and before its next checkpoint has newer ones in their place, and
        comes to that validation again.
        """
        progress, path = self.progress, self.best.path
        is_newer = self.best.are_of_a_step_after(progress.step)
        if progress.best_step == progress.step:
            if self.is_main:
                self._save_best()
                if not is_newer:
                    notice(path, f"did not hold the best weights, of step {progress.step}; they were saved again")
        elif has_ended:
            state = state_at(self.out / run_state.STATE) or self.out / run_state.STATE
            raise OutputError(
                f"{path}: the best weights, of step {progress.best_step}, are gone (what is there is damaged or of "
                f"another run); put them back, or for {state.name}: {way_on(state)}"
            )
        else:
            if self.is_main and not is_newer:
                notice(
                    path,
                    f"does not hold the best weights, of step {progress.best_step}, any more; the next validation "
                    "saves those of its step",
                )
            progress.forget_best()

    def _save_best(self) -> None:
        try:
            self._write_best()
        except OSError as error:
            if full_disk(error):
                raise
            path = error.filename2 or error.filename or self.best.path
            raise OutputError(f"{path}: cannot be written ({error.strerror}); remove it and --resume") from None
        self.progress.best_sha256 = self.best.sha256()

    def _write_best(self) -> None:
        if self.recipe.scope == "full":
            save_checkpoint(self.model, self.best.path)
            return
        scores = {"step": self.progress.best_step, "validation_dice_at_clicks": self.progress.dice_at_clicks}
        card = AdapterCard(
            self.base.name,
            self.base.sha256,
            self.recipe.scope,
            self.recipe.model_dump(mode="json"),
            self.base.data,
            scores,
        )
        save_adapter(self.model, self.best.path, card)

    def _clip_gradients(self) -> float:
        """The norm of all gradients before they are clipped."""
        limit = self.recipe.optimiser.clip_norm
        return float(nn.utils.clip_grad_norm_(self.parameters, math.inf if limit is None else limit))

    def _open_cache(self) -> EmbeddingCache | None:
        folder, last = self.recipe.cache.dir, self.recipe.lora.encoder_last
        if folder is None:
            return None
        kind = "fp32" if self.autocast is None else str(self.autocast).removeprefix("torch.")
        stop = None if last is None else first_adapted(self.model.image_encoder, last)
        return EmbeddingCache(self.out / Path(folder).expanduser(), self.base.sha256, kind, stop)


def _trainable(model: SamHQ, recipe: Recipe, name: str) -> SamHQ:
    """The model with what the recipe trains asking for gradients: an adapter in its scope, or every weight."""
    if recipe.recompute_encoder:
        if not model.image_encoder.supports_recompute:
            raise RecipeError(f"recompute_encoder is for ViT-B, ViT-L and ViT-H; leave it false for {name}")
        model.image_encoder.recompute = True
    if recipe.scope == "full":
        model.requires_grad_(True)
    else:
        add_lora(model, LoraSettings(recipe.scope, **recipe.lora.model_dump()))
        if recipe.adapter is not None:
            copy_adapter(model, recipe.adapter)
    if recipe.choices_only:
        keep_only_choices_trainable(model)
    return model
