"""`dentasam train`: an adapter for a model, from annotated X-rays."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentasam.cli import options

if TYPE_CHECKING:
    from dentasam.data.dataset import Dataset
    from dentasam.training.recipe.chart_recipe import ChartRecipe


def train(
    training: Annotated[Path, typer.Argument(metavar="TRAIN.json", help="COCO dataset to train on.")],
    validation: Annotated[
        Path, typer.Option("--val", metavar="VAL.json", help="COCO dataset to choose the best by.")
    ],
    recipe: options.Recipe,
    out: Annotated[Path, typer.Option("--out", help="Folder for the adapter, the recipe and the metrics.")],
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME|PATH", help="Base model; the recipe's if left out.")
    ] = None,
    adapter: Annotated[
        str | None,
        typer.Option(
            "--adapter", metavar="NAME|DIR", help="Start from the weights of this adapter; the recipe's if left out."
        ),
    ] = None,
    images: options.Images = None,
    validation_images: Annotated[
        Path | None,
        typer.Option("--val-images", metavar="DIR", help="Folder of VAL.json's images, as --images for TRAIN.json."),
    ] = None,
    follow_links: options.FollowLinks = False,
    settings: options.Settings = None,
    resume: options.Resume = False,
    tensorboard: options.TensorBoard = False,
    cpu: options.Cpu = False,
) -> None:
    """Train a LoRA adapter with iterative correction clicks, or (recipe chart) what finds and numbers teeth."""
    from dentasam.errors import RecipeError
    from dentasam.training.recipe.chart_recipe import ChartRecipe
    from dentasam.training.recipe.recipe_file import load_any_recipe

    resolved = load_any_recipe(recipe, settings or [])
    if model is not None:
        resolved = resolved.model_copy(update={"base": model})
    if adapter is not None:
        resolved = resolved.model_copy(update={"adapter": adapter})
    given = (training, images), (validation, validation_images)
    if isinstance(resolved, ChartRecipe):
        loaded = [options.load_dataset(path, folder, follow_links) for path, folder in given]
        _train_chart(resolved, loaded[0], loaded[1], out, resume, cpu)
        return
    if resolved.scope == "full":
        raise RecipeError(f"{recipe}: scope full trains no adapter; choose another scope, or use dentasam pretrain")

    from dentasam.cli.console import say
    from dentasam.model.checkpoints.loading import load_model
    from dentasam.processes import launched
    from dentasam.training.run.loop import train as run_training
    from dentasam.training.run.saved import run_state
    from dentasam.training.run.saved.run_inputs import Input
    from dentasam.training.run.training_run import Base
    from dentasam.training.samples.mixed_source import MixedSource
    from dentasam.training.samples.sources import DatasetSource, PhantomSource, Source

    keep_mb = resolved.cache.decoded_mb
    full, smooth_px = resolved.trains_object_windows, resolved.object_windows.smooth_truth_px
    datasets = [options.load_dataset(path, folder, follow_links) for path, folder in given]
    sources = [DatasetSource(dataset, keep_mb, full, smooth_px) for dataset in datasets]
    learnt: Source = sources[0]
    if resolved.phantoms_share:
        drawn = PhantomSource(resolved.phantoms, resolved.seed, full=full)
        learnt = MixedSource(sources[0], drawn, resolved.phantoms_share, resolved.seed)
    network, info = load_model(resolved.base)
    about = f"{training.name}: {len(sources[0])} images"
    base = Base(info.name, info.sha256, about, *map(Input.of_dataset, datasets))
    with launched(cpu) as accelerator:
        result = run_training(
            network,
            resolved,
            learnt,
            sources[1],
            out,
            base,
            resume=resume,
            accelerator=accelerator,
            tensorboard=tensorboard,
        )
        if accelerator.is_main_process:
            dice = " ".join(f"{value:.3f}" for value in result.dice_at_clicks)
            say(f"{out / run_state.ADAPTER}: step {result.best_step} of {result.steps}, validation Dice@1…k {dice}")


def _train_chart(
    recipe: "ChartRecipe", training: "Dataset", validation: "Dataset", out: Path, resume: bool, cpu: bool
) -> None:
    from dentasam.cli.console import say
    from dentasam.files.output_folder import made_folder
    from dentasam.model.segmenter import load_torch
    from dentasam.progress import shown
    from dentasam.training.chart.chart_run import check_same_recipe, train_chart
    from dentasam.training.run.saved.run_lock import RunLock

    check_same_recipe(recipe, out, resume)
    made_folder(out)
    with RunLock(out):
        check_same_recipe(recipe, out, resume)  # again: until it was locked, another run may have begun there
        adapter = None if recipe.adapter == "none" else recipe.adapter
        segmenter = load_torch(recipe.base, adapter, "cpu" if cpu else None)
        run = train_chart(segmenter, recipe, training, validation, out, shown)
    scores = run.scores
    say(
        f"{run.folder}: on {validation.path.name} {100 * scores.f1:.1f} % of the teeth found (F1), "
        f"{100 * scores.numbered:.1f} % found and numbered right"
    )
