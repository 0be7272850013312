"""The training loop: samples in, weights out, under Accelerate.

    dentasam train ...                                   one process
    torchrun --nproc-per-node 2 -m dentasam train ...    two, each with its share of every batch

A step draws everything at random from the recipe's seed and the step's number, so a run that was killed and
resumed, or shared out over processes, trains on the same samples with the same clicks.
"""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from rich.console import Console
from torch import nn

from dentasam.errors import RecipeError
from dentasam.model.adapters.adapter import AdapterCard, save_adapter
from dentasam.model.adapters.lora import (
    LoraSettings,
    add_lora,
    first_adapted,
    freeze_statistics,
    trainable_line,
    trainable_parameters,
)
from dentasam.model.checkpoints.checkpoint import save_checkpoint
from dentasam.model.core.memory import keep_freed_memory
from dentasam.model.core.precision import autocast_type
from dentasam.model.encoder.vit import ImageEncoderViT
from dentasam.model.sam_hq import SamHQ
from dentasam.processes import all_or_none
from dentasam.prompts.click_schedule import ClickSchedule
from dentasam.training.recipe import Recipe, Schedule, Stage
from dentasam.training.run import distributed, run_state
from dentasam.training.run.optimisation import build_optimiser, rate_at
from dentasam.training.run.run_progress import MetricsLog, TrainingProgress
from dentasam.training.run.validation import Curve, click_curve, validation_samples
from dentasam.training.samples.embedding_cache import EmbeddingCache
from dentasam.training.samples.encoding import Encoding
from dentasam.training.samples.image_samples import Sample, StepSamples, TrainingSamples, passes, step_loader
from dentasam.training.samples.phantom_samples import PhantomWindows
from dentasam.training.samples.sources import Source
from dentasam.training.step.loss import Objective
from dentasam.training.step.training_step import train_step

# Streams of random numbers, apart from those of samples.py.
_CLICKS, _DROPOUT = 11, 12
Ending = Literal["steps", "minutes", "patience"]


@dataclass(frozen=True)
class Base:
    """What the adapter is trained on: the model's name and hash, and words on the data, all for the card."""

    name: str
    sha256: str
    data: str = ""


@dataclass(frozen=True)
class TrainingResult:
    """How a run ended. The best weights are in the run's folder; the model holds the last ones."""

    steps: int
    best_step: int
    best_score: float
    dice_at_clicks: list[float]
    seconds: float
    ended_by: Ending


def train(
    model: SamHQ,
    recipe: Recipe,
    source: Source,
    validation: Source | None,
    out: Path,
    base: Base,
    *,
    resume: bool = False,
    accelerator: Accelerator | None = None,
    console: Console | None = None,
    tensorboard: bool = False,
) -> TrainingResult:
    """Train an adapter on `model` (scope `full`: the model itself) and keep the best in `out`.

    Raises OutputError for a folder in use or a damaged state, RecipeError for a resumed run with another
    recipe, for a loss that is not finite, and for a setting that the encoder does not have.
    """
    keep_freed_memory()
    accelerator = accelerator or Accelerator()
    with all_or_none(accelerator):
        if accelerator.is_main_process:
            run_state.open_folder(out, recipe, resume)
    run = TrainingRun(model, recipe, source, validation, out, base, accelerator, console or Console(stderr=True))
    return run.run(resume, tensorboard)


class TrainingRun:
    """A run and what it changes: the weights, the optimiser, and how far it is."""

    def __init__(
        self,
        model: SamHQ,
        recipe: Recipe,
        source: Source,
        validation: Source | None,
        out: Path,
        base: Base,
        accelerator: Accelerator,
        console: Console,
    ) -> None:
        self.recipe, self.out, self.base = recipe, out, base
        self.accelerator, self.console = accelerator, console
        self.validation = validation
        self.main = accelerator.is_main_process
        torch.manual_seed(recipe.seed)
        if recipe.recompute_encoder:
            if not isinstance(model.image_encoder, ImageEncoderViT):
                raise RecipeError(f"recompute_encoder is for ViT-B, ViT-L and ViT-H; leave it false for {base.name}")
            model.image_encoder.recompute = True
        if recipe.scope == "full":
            model.requires_grad_(True)
        else:
            add_lora(model, LoraSettings(recipe.scope, **recipe.lora.model_dump()))
        self.model = model.to(accelerator.device)
        self.parameters = trainable_parameters(model)
        kinds = {stage.batch_norm for stage in recipe.stages} or {recipe.batch_norm}
        self.tensors = run_state.trained_tensors(model, "running" in kinds)
        self.autocast = autocast_type(recipe.precision, accelerator.device)
        self.optimiser = build_optimiser(self.parameters, recipe.optimiser, self.autocast)
        self.cache = self._open_cache()
        self.encoding = Encoding(model, recipe.encoder_frozen, self.cache, self.autocast)
        self.total_steps = recipe.total_steps(len(source))
        place = accelerator.process_index, accelerator.num_processes
        self.samples: StepSamples = (
            PhantomWindows(recipe, *place)
            if recipe.stages
            else TrainingSamples(source, recipe, self.total_steps, *place, self.cache)
        )
        self.images = len(source)
        self.objective = Objective(**recipe.objective.model_dump())
        self.done = run_state.Progressed()

    def run(self, resume: bool, tensorboard: bool) -> TrainingResult:
        """All steps that are left, with validations and checkpoints between them."""
        if resume:
            self.done = run_state.load_state(self.out, self.tensors, self.optimiser, self.base.sha256)
        distributed.same_start(self.accelerator, list(self.tensors.values()))
        if self.main:
            run_state.cut_metrics(self.out / run_state.METRICS, self.done.step)
            self._announce()
        minutes = self.recipe.budget.minutes
        silent = Console(quiet=True)
        before, started = self.done.seconds, time.monotonic()
        ended: Ending = "steps"
        with contextlib.ExitStack() as stack:
            shown = stack.enter_context(
                TrainingProgress(self.total_steps, self.done.step, minutes, self.console if self.main else silent)
            )
            log = stack.enter_context(MetricsLog(self.out, self.done.step, tensorboard)) if self.main else None
            if self._out_of_patience() or self.done.step >= self.total_steps:
                return self._result("patience" if self._out_of_patience() else "steps")
            asked = time.monotonic()
            for samples in step_loader(self.samples, self.done.step, self.accelerator.device.type == "cuda"):
                waited = time.monotonic() - asked
                row = self.step(samples, before + time.monotonic() - started)
                row["waited"] = waited
                self.done.seconds = before + time.monotonic() - started
                if log is not None:
                    log.write(row)
                shown.step(
                    self.done.step,
                    (self.recipe.stage_at(self.done.step - 1) or self.recipe).batch_images,
                    row["loss"],
                    row["dice_first"],
                    row["dice_last"],
                    self.done.seconds,
                )
                timed_out = minutes is not None and row["minutes"] >= minutes
                last = timed_out or self.done.step == self.total_steps
                if self.validation is not None and (last or self._due(self.recipe.validation.every_steps)):
                    row = self.validate(shown)
                    if log is not None:
                        log.write(row)
                    self.done.seconds = before + time.monotonic() - started
                stopping = last or self._out_of_patience()
                if stopping or self._due(self.recipe.checkpoint_every):
                    self.checkpoint()
                if stopping:
                    ended = "minutes" if timed_out else "steps" if last else "patience"
                    break
                asked = time.monotonic()
        return self._result(ended)

    def step(self, samples: list[Sample], seconds: float) -> dict[str, Any]:
        """One optimiser step on this process's samples; returns the row for metrics.jsonl."""
        step, recipe = self.done.step, self.recipe
        stage = recipe.stage_at(step)
        schedule = click_schedule(stage or recipe.schedule, recipe.schedule.done_dice)
        batch_norm = (stage or recipe).batch_norm
        self.model.train()
        if batch_norm == "frozen":
            freeze_statistics(self.model)
        self.optimiser.zero_grad(set_to_none=True)
        objects = 0
        sums = np.zeros(3)  # loss, Dice after the first and after the last iteration, each times objects
        for group in passes(samples, recipe.images_at_once):
            count = sum(len(sample.masks) for sample in group)
            position = group[0].position
            rng = np.random.default_rng([_CLICKS, recipe.seed, step, position])
            torch.manual_seed(int(np.random.default_rng([_DROPOUT, recipe.seed, step, position]).integers(2**62)))
            # `grad` is the mean over all objects so far: (n G + m g) / (n + m) = (n/m G + g) m/(n + m)
            distributed.scale_gradients(self.parameters, objects / count if objects else 1.0)
            report = train_step(
                self.model,
                self.encoding.of_group(group),
                group[0].frame,
                [sample.masks.to(self.accelerator.device, non_blocking=True) for sample in group],
                schedule,
                self.objective,
                rng,
                self.autocast,
                recipe.windows,
                None if recipe.decode_memory_mb is None else recipe.decode_memory_mb * 2**20,
            )
            distributed.scale_gradients(self.parameters, count / (objects + count))
            objects += count
            sums += np.array([report.loss, report.dice_at_clicks[0], report.dice_at_clicks[-1]]) * count
        processes = self.accelerator.num_processes
        *summed, all_objects, elapsed = distributed.total(
            self.accelerator, [*sums.tolist(), objects, seconds / processes]
        )
        loss, first, last = (value / max(all_objects, 1) for value in summed)
        if not math.isfinite(loss):
            raise RecipeError(
                f"{self.out / run_state.RECIPE}: the loss is not finite at step {step + 1}; lower optimiser.lr, "
                "raise optimiser.warmup_steps, or set precision to fp32"
            )
        distributed.average_gradients(self.accelerator, self.parameters, objects)
        minutes = elapsed / 60
        rate = rate_at(recipe, step, self.total_steps, minutes)
        norm = math.nan
        if all_objects:
            for parameters in self.optimiser.param_groups:
                parameters["lr"] = rate
            norm = self._clip()
            self.optimiser.step()
        if batch_norm == "running":
            distributed.average_statistics(self.accelerator, self.model)
        self.done.step += 1
        return {
            "kind": "step",
            "step": self.done.step,
            "loss": loss,
            "dice_first": first,
            "dice_last": last,
            "objects": int(all_objects),
            "lr": rate,
            "gradient_norm": norm if math.isfinite(norm) else None,
            "minutes": minutes,
        }

    def validate(self, shown: TrainingProgress) -> dict[str, Any]:
        """Measure the click curve, keep the weights if they are the best; the row for metrics.jsonl."""
        assert self.validation is not None
        processes, settings = self.accelerator.num_processes, self.recipe.validation
        self.model.eval()
        samples = validation_samples(
            self.validation, self.recipe, self.cache, self.accelerator.process_index, processes
        )
        count = -(-min(settings.images, len(self.validation)) // processes)
        samples = shown.counted(f"validation at step {self.done.step}", samples, count)
        own = click_curve(self.model, samples, settings.clicks, self.encoding.output, self.autocast)
        *summed, objects = distributed.total(self.accelerator, [*own.summed.tolist(), own.objects])
        curve = Curve(np.array(summed), int(objects))
        gained = curve.score > self.done.best_score
        if gained:
            self.done.best_score, self.done.best_step = curve.score, self.done.step
            self.done.dice_at_clicks = curve.dice_at_clicks
            self.done.without_gain = 0
            if self.main:
                self._save_best()
        elif not self.samples.on_crops(self.done.step):
            self.done.without_gain += 1
        dice = " ".join(f"{value:.3f}" for value in curve.dice_at_clicks)
        shown.say(
            f"validation at step {self.done.step}: Dice@1…{settings.clicks} {dice}  mean {curve.score:.4f}"
            + ("  best so far" if gained else f"  (best {self.done.best_score:.4f} at {self.done.best_step})")
        )
        return {
            "kind": "validation",
            "step": self.done.step,
            "score": curve.score,
            "dice_at_clicks": curve.dice_at_clicks,
            "objects": curve.objects,
        }

    def checkpoint(self) -> None:
        """Write the state to resume from; without validation images the last weights are also the best."""
        if self.main:
            if self.validation is None:
                self.done.best_step = self.done.step
                self._save_best()
            run_state.save_state(self.out, self.done, self.tensors, self.optimiser, self.base.sha256)
        self.accelerator.wait_for_everyone()

    def _save_best(self) -> None:
        if self.recipe.scope == "full":
            save_checkpoint(self.model, self.out / run_state.MODEL)
            return
        scores = {"step": self.done.best_step, "validation_dice_at_clicks": self.done.dice_at_clicks}
        card = AdapterCard(
            self.base.name,
            self.base.sha256,
            self.recipe.scope,
            self.recipe.model_dump(mode="json"),
            self.base.data,
            scores,
        )
        save_adapter(self.model, self.out / run_state.ADAPTER, card)

    def _clip(self) -> float:
        limit = self.recipe.optimiser.clip_norm
        return float(nn.utils.clip_grad_norm_(self.parameters, math.inf if limit is None else limit))

    def _open_cache(self) -> EmbeddingCache | None:
        folder, last = self.recipe.cache.dir, self.recipe.lora.encoder_last
        if folder is None:
            return None
        kind = "fp32" if self.autocast is None else str(self.autocast).removeprefix("torch.")
        stop = None if last is None else first_adapted(self.model, last)
        return EmbeddingCache(self.out / Path(folder).expanduser(), self.base.sha256, kind, stop)

    def _due(self, every: int) -> bool:
        return self.done.step % every == 0

    def _out_of_patience(self) -> bool:
        patience = self.recipe.validation.patience
        return patience is not None and self.done.without_gain >= patience

    def _announce(self) -> None:
        kind = "fp32" if self.autocast is None else "bf16"
        sizes = sorted({part.batch_images for part in self.recipe.stages or (self.recipe,)})
        batches = " or ".join(map(str, sizes))
        self.console.print(
            f"{trainable_line(self.model)}; scope {self.recipe.scope}, {self.images} images, "
            f"{self.total_steps} steps of {batches}, "
            f"{self.accelerator.num_processes} process(es) on {self.accelerator.device} in {kind}",
            highlight=False,
            soft_wrap=True,
        )
        if self.done.step:
            self.console.print(f"resuming after step {self.done.step}", highlight=False)

    def _result(self, ended: Ending) -> TrainingResult:
        if self.main and self.cache is not None:
            count, size = self.cache.size()
            self.console.print(f"embedding cache: {count} outputs, {size / 2**20:.0f} MB", highlight=False)
        done = self.done
        return TrainingResult(done.step, done.best_step, done.best_score, done.dice_at_clicks, done.seconds, ended)


def click_schedule(settings: Schedule | Stage, done_dice: float | None) -> ClickSchedule:
    """The schedule that a recipe or a stage asks for."""
    random_clicks = settings.random_clicks if isinstance(settings, Schedule) else True
    return ClickSchedule(
        settings.corrections,
        settings.mask_only,
        random_clicks,
        settings.random_first,
        settings.box_first,
        done_dice,
    )
