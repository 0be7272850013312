"""`dentasam demo`: the whole way on synthetic X-rays, in a few minutes and with no download."""

from pathlib import Path
from typing import Annotated

import typer

from dentasam.cli.console import say


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; new or empty.")] = Path("runs/demo"),
    model: Annotated[
        str, typer.Option("--model", metavar="NAME|PATH", help="Base model's name or checkpoint.")
    ] = "dentasam-tiny",
) -> None:
    """A tour in a few minutes: phantoms, click curve, a short training, click curve again, a report."""
    from dentasam.demo.tour import run_tour

    result = run_tour(out, model, say)
    say("")
    say("clicks   zero-shot   adapted   difference [95 % interval]")
    columns = (result.zero_shot, result.adapted, result.difference, result.low, result.high)
    for click, (zero_shot, adapted, difference, low, high) in enumerate(zip(*columns, strict=True), start=1):
        # With few images there is no interval: NaN.
        interval = f" [{low:+.3f}, {high:+.3f}]" if low == low else ""
        say(f"{click:6}   {zero_shot:9.3f}   {adapted:7.3f}   {difference:+10.3f}{interval}")
    say("")
    say(f"{result.report}: curves and overlays; {result.seconds:.0f} s in all")
