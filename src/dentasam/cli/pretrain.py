"""`dentasam pretrain`: a base model from random weights, on images that are drawn while it trains."""

from pathlib import Path
from typing import Annotated

import typer

from dentasam.cli import options


def pretrain(
    recipe: options.Recipe,
    out: Annotated[Path, typer.Option("--out", help="Folder for the model, the recipe and the metrics.")],
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="NAME|PATH", help="Model or architecture to start from; the recipe's if left out."
        ),
    ] = None,
    settings: options.Settings = None,
    resume: options.Resume = False,
    tensorboard: options.TensorBoard = False,
    cpu: options.Cpu = False,
) -> None:
    """Train a base model on synthetic panoramics and random shapes alone; no data is needed."""
    from dentasam.errors import RecipeError
    from dentasam.training.recipe.recipe_file import load_recipe

    resolved = load_recipe(recipe, settings or [])
    if model is not None:
        resolved = resolved.model_copy(update={"base": model})
    if resolved.scope != "full":
        raise RecipeError(
            f"{recipe}: pretraining needs scope full, not {resolved.scope}; start from the recipe dentasam-tiny"
        )

    import torch

    from dentasam.cli.console import say
    from dentasam.model.checkpoints.loading import load_model
    from dentasam.model.encoder.encoder_registry import ENCODERS
    from dentasam.model.sam_hq import build_sam_hq
    from dentasam.processes import launched
    from dentasam.training.run.loop import train
    from dentasam.training.run.saved import run_state
    from dentasam.training.run.training_run import Base
    from dentasam.training.samples.sources import PhantomSource

    if resolved.base in ENCODERS:
        torch.manual_seed(resolved.seed)
        network = build_sam_hq(resolved.base)
        base = Base(resolved.base, f"random weights, seed {resolved.seed}", "phantoms and shapes")
    else:
        network, info = load_model(resolved.base)
        base = Base(info.name, info.sha256, "phantoms and shapes")
    with launched(cpu) as accelerator:
        result = train(
            network,
            resolved,
            PhantomSource(resolved.phantoms, resolved.seed),
            PhantomSource(resolved.phantoms, resolved.seed, held_out=True, full=resolved.trains_object_windows),
            out,
            base,
            resume=resume,
            accelerator=accelerator,
            tensorboard=tensorboard,
        )
        if accelerator.is_main_process:
            dice = " ".join(f"{value:.3f}" for value in result.dice_at_clicks)
            say(f"{out / run_state.MODEL}: step {result.best_step} of {result.steps}, validation Dice@1…k {dice}")
