"""`dentasam pretrain`: a base model from random weights, on images that are drawn while it trains."""

from pathlib import Path
from typing import Annotated

import typer


def pretrain(
    recipe: Annotated[str, typer.Option("--recipe", metavar="NAME|FILE", help="Bundled recipe or a YAML file.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the model, the recipe and the metrics.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one setting; may be repeated."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also log for TensorBoard, under --out.")
    ] = False,
    cpu: Annotated[bool, typer.Option("--cpu", help="Train on the CPU even where there is a GPU.")] = False,
) -> None:
    """Train a base model on synthetic panoramics and random shapes alone; no data is needed."""
    from dentasam.errors import RecipeError
    from dentasam.training.recipe import load_recipe

    resolved = load_recipe(recipe, settings or [])
    if resolved.scope != "full" or resolved.base not in ("vit_tiny", "vit_b", "vit_l", "vit_h"):
        raise RecipeError(
            f"{recipe}: pretraining needs scope full and as base vit_tiny, vit_b, vit_l or vit_h, not "
            f"{resolved.scope} of {resolved.base}; start from the recipe dentasam-tiny"
        )

    from typing import cast

    import torch
    from accelerate import Accelerator

    from dentasam.cli.console import say
    from dentasam.model.sam_hq import Kind, build_sam_hq
    from dentasam.training import state
    from dentasam.training.loop import Base, train
    from dentasam.training.sources import PhantomSource

    torch.manual_seed(resolved.seed)
    network = build_sam_hq(cast(Kind, resolved.base))
    accelerator = Accelerator(cpu=cpu)
    result = train(
        network,
        resolved,
        PhantomSource(resolved.phantoms, resolved.seed),
        PhantomSource(resolved.phantoms, resolved.seed, held_out=True),
        out,
        Base(resolved.base, f"random weights, seed {resolved.seed}", "phantoms and shapes"),
        resume=resume,
        accelerator=accelerator,
        tensorboard=tensorboard,
    )
    if accelerator.is_main_process:
        dice = " ".join(f"{value:.3f}" for value in result.dice_at_clicks)
        say(f"{out / state.MODEL}: step {result.best_step} of {result.steps}, validation Dice@1…k {dice}")
