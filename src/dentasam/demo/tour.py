"""The tour: draw X-rays, measure the base model, train an adapter for a minute or two, measure again, compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import numpy as np

from dentasam.data.dataset import Dataset
from dentasam.demo.phantoms import draw_parts
from dentasam.evaluation.comparison.compare import compare
from dentasam.evaluation.evaluate import Progress, evaluate
from dentasam.evaluation.result import Result
from dentasam.files.output_folder import claim_folder
from dentasam.files.whole_file import copy_whole
from dentasam.model.checkpoints.loading import load_model
from dentasam.model.segmenter import load_torch
from dentasam.training.recipe.recipe_file import load_recipe
from dentasam.training.run.loop import train as run_training
from dentasam.training.run.saved.run_state import ADAPTER
from dentasam.training.run.training_run import Base
from dentasam.training.samples.sources import DatasetSource

# For the whole tour; what the measurements leave of it is the training's.
TOUR_SECONDS = 270.0
MAX_TRAINING_SECONDS, MIN_TRAINING_SECONDS = 130.0, 20.0

# A short run: small crops of the image at about half a second a step, whole images at the end.
RECIPE_SETTINGS = (
    "object_windows.share=0",
    "schedule.iterations_drawn={}",
    "schedule.iterations=4",
    "schedule.corrections=2",
    "schedule.mask_only=1",
    "objects_per_image=8",
    "batch_images=1",
    "crop.size=256",
    "crop.share=0.9",
    "optimiser.lr=1e-3",
    "optimiser.warmup_steps=5",
    "augmentation.rotation_deg=0",
    "augmentation.scale=0",
    "augmentation.exposure=0",
    "budget.epochs=null",
    "workers=0",
)


@dataclass(frozen=True)
class TourSize:
    """How much is drawn, measured and trained; the defaults take a few minutes on a laptop."""

    phantoms: int = 30
    plain_test_images: int = 2
    test_objects_per_image: int = 6
    clicks: int = 11
    training_steps: int = 110


@dataclass(frozen=True)
class TourResult:
    """Mean Dice (k,) after each click, before and after the adaptation, and their difference.

    low, high (k,): the 95 % interval of the difference, NaN where there are too few images for one.
    """

    zero_shot: np.ndarray
    adapted: np.ndarray
    difference: np.ndarray
    low: np.ndarray
    high: np.ndarray
    report: Path
    seconds: float


def run_tour(out: Path, model: str, say: Callable[[str], None], size: TourSize | None = None) -> TourResult:
    """Takes the tour with a base model, by name or path, and writes everything under `out`, a new or empty folder.

    say: takes a line about each step. Raises OutputError where `out` is in use, CheckpointError for the model.
    """
    size = size or TourSize()
    started = monotonic()
    claim_folder(out)
    say("1/5  drawing X-rays as another device would show them: a negative, flat and noisy")
    test, train = draw_parts(out / "phantoms", size.phantoms, size.plain_test_images, size.test_objects_per_image)

    say(f"2/5  zero-shot: {model} on {len(test.images)} images, {test.objects} objects, {size.clicks} clicks each")
    before = monotonic()
    base = _measure(model, None, test, size.clicks, out / "base", say)
    measuring = monotonic() - before

    left = TOUR_SECONDS - (monotonic() - started) - 1.3 * measuring
    seconds = min(MAX_TRAINING_SECONDS, max(MIN_TRAINING_SECONDS, left))
    say(f"3/5  training a LoRA adapter on {len(train.images)} images, up to {seconds:.0f} s")
    steps = _train(model, train, size.training_steps, out / "training", seconds / 60)
    if steps < size.training_steps:
        say(
            f"     this machine had time for {steps} of {size.training_steps} steps, so that less is learned; "
            "try again when nothing else runs on it"
        )

    say("4/5  the same clicks on the same objects, adapted")
    adapted = _measure(model, out / "training" / ADAPTER, test, size.clicks, out / "adapted", say)

    say("5/5  comparing")
    comparison = compare([out / "base", out / "adapted"], out / "comparison").curves
    assert comparison is not None  # both were measured just now
    report = out / "report.html"
    copy_whole(out / "comparison" / "comparison.html", report)
    gain = comparison.differences[0].overall.dice
    means = base.dice().mean(axis=0), adapted.dice().mean(axis=0)
    return TourResult(*means, gain.mean, gain.low, gain.high, report, monotonic() - started)


def _measure(
    model: str, adapter: Path | None, test: Dataset, clicks: int, out: Path, say: Callable[[str], None]
) -> Result:
    def show(progress: Progress) -> None:
        say(
            f"     image {progress.images}/{progress.total}: "
            f"Dice@1 {progress.dice_first:.3f}, Dice@{clicks} {progress.dice_last:.3f} so far"
        )

    return evaluate(load_torch(model, adapter).merged(), test, clicks, out, show)


def _train(model: str, train: Dataset, steps: int, out: Path, minutes: float) -> int:
    """The number of steps taken."""
    limits = (f"base={model}", f"budget.steps={steps}", f"budget.minutes={minutes:.3f}")
    recipe = load_recipe("encoder+decoder", [*RECIPE_SETTINGS, *limits])
    network, info = load_model(model)
    base = Base(info.name, info.sha256, f"{len(train.images)} phantoms, synthetic")
    source = DatasetSource(train, recipe.cache.decoded_mb, full=recipe.trains_object_windows)
    return run_training(network, recipe, source, None, out, base).steps
