"""`dentasam data phantom`: synthetic panoramics."""

from typing import Annotated, Any

import typer

from dentasam.cli.console import say
from dentasam.cli.data.arguments import Out, size


def phantom(
    out: Out,
    count: Annotated[int, typer.Option(min=1, help="Number of images.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same images.")] = 0,
    width: Annotated[int, typer.Option(min=128, max=8192, help="Pixels across.")] = 1024,
    height: Annotated[int, typer.Option(min=64, max=8192, help="Pixels down.")] = 512,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="blurred, ambiguous-boundary, overlap or artifact, for every image; may be repeated.",
        ),
    ] = None,
    dentition: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="adult, gaps, closed, hypodontia, irregular, implants, bridges, supernumerary, mixed, deciduous; "
            "any draws one for each image.",
        ),
    ] = "adult",
    layout: Annotated[
        str,
        typer.Option(metavar="KIND", help="usual, or any: jaws zoomed, shifted, bent, stretched and cut off."),
    ] = "usual",
) -> None:
    """Make synthetic panoramics with FDI-numbered teeth, as a COCO dataset."""
    from dentasam.data.dataset import Dataset
    from dentasam.data.phantom import write_phantoms
    from dentasam.progress import shown

    with shown("phantoms", "images", transient=True) as update:
        kinds: dict[str, Any] = {"dentition": dentition, "layout": layout}  # checked where a phantom is drawn
        path = write_phantoms(out, count, seed, width, height, condition or None, progress=update, **kinds)
    loaded = Dataset.load(path)
    say(size(path, len(loaded.images), loaded.objects))
