"""Options that several commands share."""

from typing import Annotated

import typer

BUNDLED_MODEL, BUNDLED_ADAPTER = "dentasam-tiny", "panoramic-teeth"

Recipe = Annotated[str, typer.Option("--recipe", metavar="NAME|FILE", help="Bundled recipe or a YAML file.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one setting; may be repeated.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")]
TensorBoard = Annotated[bool, typer.Option("--tensorboard", help="Also log for TensorBoard, under --out.")]
Cpu = Annotated[bool, typer.Option("--cpu", help="Train on the CPU even where there is a GPU.")]
Model = Annotated[str, typer.Option("--model", metavar="NAME|PATH", help="Model's name or checkpoint.")]
Device = Annotated[str | None, typer.Option("--device", help="cpu, cuda, cuda:1, …; the best at hand if left out.")]
Adapter = Annotated[
    str | None,
    typer.Option(
        "--adapter",
        metavar="NAME|DIR",
        help=f"LoRA adapter, `none` for none; {BUNDLED_ADAPTER} on the bundled model if left out.",
    ),
]


def chosen_adapter(model: str, adapter: str | None) -> str | None:
    """The adapter to load: `none` takes none off, and the bundled model has its own unless another is named."""
    if adapter is None:
        return BUNDLED_ADAPTER if model == BUNDLED_MODEL else None
    return None if adapter == "none" else adapter
