"""`dentasam data deidentify`: copies without identifying data."""

from pathlib import Path
from typing import Annotated

import typer

from dentasam.cli import options
from dentasam.cli.console import say, warn


def deidentify(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="An image, or a folder of images.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; new, empty, or of an earlier run.")],
    key: Annotated[
        Path | None,
        typer.Option("--key", help="Secret key and map back, made where missing; OUT.key.json if left out."),
    ] = None,
    blank: Annotated[
        list[str] | None,
        typer.Option("--blank", metavar="X,Y,W,H", help="A rectangle to make black in every image; may be repeated."),
    ] = None,
    mask: Annotated[
        Path | None, typer.Option("--mask", help="A PNG of the images' size; what is not 0 in it is made black.")
    ] = None,
    ocr: Annotated[
        str, typer.Option("--ocr", metavar="HOW", help="Text in the picture: off, report or blank (extra ocr).")
    ] = "off",
    report: Annotated[
        Path | None, typer.Option("--report", help="CSV or JSON of every tag touched; OUT/report.csv if left out.")
    ] = None,
    follow_links: options.FollowLinks = False,
) -> None:
    """Write copies without identifying data; exit code 2 where a file could not be written safely."""
    from dentasam.data.deidentify.regions import Blanking
    from dentasam.data.deidentify.run import LIMITS, Options, deidentify
    from dentasam.errors import DatasetError
    from dentasam.progress import shown

    if ocr not in ("off", "report", "blank"):
        raise typer.BadParameter(f"{ocr!r:.40} is not one of off, report, blank", param_hint="--ocr")
    with shown("deidentify", "files", transient=True) as update:
        given = Options(key, report, Blanking.of(blank or (), mask), ocr, update, follow_links)
        outcome = deidentify(source, out, given)
    for line in outcome.warnings:
        warn(line)
    for line in outcome.failed:
        say(f"not delivered: {line}")
    count, failed = len(outcome.delivered), len(outcome.failed)
    say(f"{out}: {count} image{'s' * (count != 1)} de-identified; every tag touched: {outcome.report}")
    say(f"{outcome.key}: the key and the original values; keep it apart from the images")
    say(f"note: {LIMITS}")
    if failed:
        raise DatasetError(
            f"{failed} file{'s' * (failed > 1)} of {source} not delivered, listed above; fix and run again"
        )
