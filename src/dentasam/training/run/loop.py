"""The training loop: samples in, weights out, under Accelerate.

    dentasam train ...                                   one process
    torchrun --nproc-per-node 2 -m dentasam train ...    two, each with its share of every batch

Everything random in a step is drawn from the recipe's seed and the step's number. So a run that was killed and
resumed, or that is shared out over processes, trains on the same samples with the same clicks.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from accelerate import Accelerator
from rich.console import Console

from dentasam.model.core.memory import keep_freed_memory
from dentasam.model.sam_hq import SamHQ
from dentasam.processes import all_or_none
from dentasam.training.recipe.settings import Recipe
from dentasam.training.run import distributed
from dentasam.training.run.memory_line import memory_line
from dentasam.training.run.metrics_log import MetricsLog, cut_metrics
from dentasam.training.run.progress_line import ProgressLine
from dentasam.training.run.saved import run_state
from dentasam.training.run.training_run import Base, TrainingRun
from dentasam.training.samples.sample import Sample, step_loader
from dentasam.training.samples.sources import Source

Ending = Literal["steps", "minutes", "patience"]


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

    Raises OutputError for a folder in use, a damaged state and a run that began on another base or other data,
    RecipeError for a resumed run with another recipe, for a loss that is not finite, for a setting that the encoder
    does not have, and for more memory than there is.
    """
    keep_freed_memory()
    accelerator = accelerator or Accelerator()
    with ExitStack() as held:
        with all_or_none(accelerator):
            if accelerator.is_main_process:
                held.enter_context(run_state.open_folder(out, recipe, resume, base.inputs(recipe)))
        held.enter_context(memory_line(out / run_state.RECIPE))
        run = TrainingRun(model, recipe, source, validation, out, base, accelerator)
        if resume:
            run.resume()
        distributed.copy_from_first(accelerator, list(run.tensors.values()))

        console = (console or Console(stderr=True)) if run.is_main else Console(quiet=True)
        with all_or_none(accelerator):
            if run.is_main:
                cut_metrics(out / run_state.METRICS, run.progress.step)
        run.announce(console)
        ended_by = _all_steps(run, console, tensorboard)
        with all_or_none(accelerator):
            run.check_best()
        run.announce_cache(console)
        done = run.progress
    return TrainingResult(done.step, done.best_step, done.best_score, done.dice_at_clicks, done.seconds, ended_by)


def _all_steps(run: TrainingRun, console: Console, tensorboard: bool) -> Ending:
    """All steps that are left, with validations and checkpoints between them; returns what ended the run."""
    recipe, progress, total = run.recipe, run.progress, run.plan.total_steps
    with (
        ProgressLine(total, progress.step, recipe.budget.minutes, console) as line,
        MetricsLog(run.out, progress.step, tensorboard, active=run.is_main) as log,
    ):
        if run.out_of_patience():
            return "patience"
        if progress.step >= total:
            return "steps"
        before, started = progress.seconds, time.monotonic()
        for samples, waited in _timed(step_loader(run.samples, progress.step, run.device.type == "cuda")):
            plan = run.plan.at(progress.step)
            row = run.step(plan, samples, before + time.monotonic() - started)
            row["waited"] = waited
            progress.seconds = before + time.monotonic() - started
            log.write(row)
            line.step(progress.step, plan.images, row["loss"], row["dice_first"], row["dice_last"], progress.seconds)

            ended: Ending | None = None
            if recipe.budget.minutes is not None and row["minutes"] >= recipe.budget.minutes:
                ended = "minutes"
            elif progress.step == total:
                ended = "steps"
            if run.validation is not None and (ended or progress.step % recipe.validation.every_steps == 0):
                log.write(run.validate(line))
                progress.seconds = before + time.monotonic() - started
                if ended is None and run.out_of_patience():
                    ended = "patience"
            if ended or progress.step % recipe.checkpoint_every == 0:
                run.checkpoint()
            if ended:
                return ended
    raise AssertionError("the loader gives all steps up to the last, which ends the run")


def _timed(loader: Iterable[list[Sample]]) -> Iterator[tuple[list[Sample], float]]:
    """The samples of each step, and the seconds that the loop waited for them."""
    asked = time.monotonic()
    for samples in loader:
        yield samples, time.monotonic() - asked
        asked = time.monotonic()
