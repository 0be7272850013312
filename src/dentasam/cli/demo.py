"""`dentasam demo`: the whole way on synthetic X-rays, in a few minutes and with no download."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentasam.cli.console import say

if TYPE_CHECKING:
    import numpy as np

    from dentasam.data.dataset import Dataset, ImageRecord
    from dentasam.evaluation.result import Result

PHANTOMS, SEED = 30, 4
CLICKS, OBJECTS_PER_IMAGE, PLAIN_IMAGES = 11, 6, 2
# For the whole tour; what the measurements leave of it is the training's.
SECONDS = 270.0
LONGEST_TRAINING, SHORTEST_TRAINING = 130.0, 20.0

# A short run: small windows of the image at about half a second a step, whole images at the end.
SETTINGS = (
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
    "augmentation.blur=0",
    "budget.epochs=null",
    "budget.steps=110",
    "workers=0",
)


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; new or empty.")] = Path("runs/demo"),
    model: Annotated[
        str, typer.Option("--model", metavar="NAME|PATH", help="Base model's name or checkpoint.")
    ] = "dentasam-tiny",
) -> None:
    """A tour in a few minutes: phantoms, click curve, a short training, click curve again, a report."""
    from shutil import copyfile
    from time import monotonic

    from dentasam.evaluation.compare import compare
    from dentasam.output_folder import claim_folder
    from dentasam.training.run.run_state import ADAPTER

    started = monotonic()
    claim_folder(out)
    say("1/5  drawing X-rays as another device would show them: a negative, flat and noisy")
    test, train = _draw(out / "phantoms")

    say(f"2/5  zero-shot: {model} on {len(test.images)} images, {test.objects} objects, {CLICKS} clicks each")
    before = monotonic()
    base = _measure(model, None, test, out / "base")
    measuring = monotonic() - before

    left = SECONDS - (monotonic() - started) - 1.3 * measuring
    seconds = min(LONGEST_TRAINING, max(SHORTEST_TRAINING, left))
    say(f"3/5  training a LoRA adapter on {len(train.images)} images, up to {seconds:.0f} s")
    _train(model, train, out / "training", seconds / 60)

    say("4/5  the same clicks on the same objects, adapted")
    adapted = _measure(model, out / "training" / ADAPTER, test, out / "adapted")

    say("5/5  comparing")
    comparison = compare([out / "base", out / "adapted"], out / "comparison")
    copyfile(out / "comparison" / "comparison.html", out / "report.html")

    gain = comparison.differences[0].overall.dice
    say("")
    say("clicks   zero-shot   adapted   difference [95 % interval]")
    for k in range(CLICKS):
        zero_shot, tuned = base.dice()[:, k].mean(), adapted.dice()[:, k].mean()
        # With few images there is no interval, which the bootstrap gives as NaN.
        interval = f" [{gain.low[k]:+.3f}, {gain.high[k]:+.3f}]" if gain.low[k] == gain.low[k] else ""
        say(f"{k + 1:6}   {zero_shot:9.3f}   {tuned:7.3f}   {gain.mean[k]:+10.3f}{interval}")
    say("")
    say(f"{out / 'report.html'}: curves and overlays; {monotonic() - started:.0f} s in all")


def _draw(folder: Path) -> "tuple[Dataset, Dataset]":
    """Phantoms in the look of another device: test images with each condition, and the others to train.

    The bundled base has seen phantoms, so a look it has not seen leaves something to adapt to.
    """
    from dataclasses import replace

    from dentasam.data.dataset import Dataset
    from dentasam.data.formats.folders import write_png
    from dentasam.data.phantom import write_phantoms
    from dentasam.data.phantom.conditions import CONDITIONS

    drawn = Dataset.load(write_phantoms(folder, PHANTOMS, SEED))
    for record in drawn.images:
        write_png(record.path, another_device(record.read(), record.id))
    plain = [record for record in drawn.images if not set(CONDITIONS) & set(record.tags)]
    bad = [next((each for each in drawn.images if kind in each.tags), None) for kind in CONDITIONS]
    chosen = {record.id: record for record in [*bad, *plain[:PLAIN_IMAGES]] if record is not None}
    test = tuple(_fewer(record) for record in chosen.values())
    train = tuple(record for record in drawn.images if record.id not in chosen)
    parts = {"test": test, "train": train}
    paths = {name: replace(drawn, images=images).write(folder / f"{name}.json") for name, images in parts.items()}
    return Dataset.load(paths["test"]), Dataset.load(paths["train"])


def another_device(image: "np.ndarray", seed: int) -> "np.ndarray":
    """The look of another device: (H, W) uint8 → the negative, with flat contrast and noise."""
    import numpy as np

    noise = np.random.default_rng(seed).normal(0.0, 6.0, image.shape)
    negative = 40.0 + 150.0 * (1.0 - image.astype(np.float64) / 255.0) ** 1.3
    return np.clip(np.rint(negative + noise), 0, 255).astype(np.uint8)


def _fewer(record: "ImageRecord") -> "ImageRecord":
    """Some objects of an image, spread over the jaws: all of them would take the tour's whole time."""
    from dataclasses import replace

    import numpy as np

    count = len(record.objects)
    places = np.unique(np.linspace(0, count - 1, min(count, OBJECTS_PER_IMAGE)).round().astype(int))
    return replace(record, objects=tuple(record.objects[place] for place in places))


def _measure(model: str, adapter: Path | None, test: "Dataset", out: Path) -> "Result":
    from dentasam.evaluation.curve import Progress, evaluate
    from dentasam.model.segmenter import load_torch

    def show(progress: Progress) -> None:
        say(
            f"     image {progress.images}/{progress.total}: "
            f"Dice@1 {progress.dice_first:.3f}, Dice@{CLICKS} {progress.dice_last:.3f} so far"
        )

    return evaluate(load_torch(model, adapter).merged(), test, CLICKS, out, show)


def _train(model: str, train: "Dataset", out: Path, minutes: float) -> None:
    from dentasam.model.checkpoints.checkpoint import load_model
    from dentasam.training.recipe import load_recipe
    from dentasam.training.run.loop import Base
    from dentasam.training.run.loop import train as run_training
    from dentasam.training.samples.sources import DatasetSource

    recipe = load_recipe("encoder+decoder", [*SETTINGS, f"base={model}", f"budget.minutes={minutes:.3f}"])
    network, info = load_model(model)
    base = Base(info.name, info.sha256, f"{len(train.images)} phantoms, synthetic")
    run_training(network, recipe, DatasetSource(train, recipe.cache.decoded_mb), None, out, base)
