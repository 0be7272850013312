"""`dentasam evaluate`: the click curve of a model on a dataset."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentasam.cli import options

if TYPE_CHECKING:
    from dentasam.evaluation.result import Result


def evaluate(
    test: Annotated[Path, typer.Argument(metavar="TEST.json", help="COCO dataset with the true masks.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for metrics.json, objects.csv, report.html.")],
    model: options.Model = options.BUNDLED_MODEL,
    adapter: Annotated[
        str | None, typer.Option("--adapter", metavar="NAME|DIR", help="LoRA adapter on top of the model.")
    ] = None,
    clicks: Annotated[int, typer.Option("--clicks", min=1, max=100, help="Clicks on every object.")] = 11,
    images: options.Images = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N images.")] = None,
    device: options.Device = None,
    runtime: options.OnRuntime = None,
    precision: options.OfEncoder = "fp32",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run that --out holds already.")] = False,
) -> None:
    """Measure a model click by click: Dice and IoU after each correction click, and how good it ends."""
    from dentasam.evaluation.evaluate import Progress
    from dentasam.evaluation.evaluate import evaluate as measure
    from dentasam.evaluation.run_folder import RUN_FILES, claim_folder
    from dentasam.progress import shown

    # Errors in the arguments are found before the minutes that a model may take to load.
    claim_folder(out, RUN_FILES, overwrite)
    dataset = options.load_dataset(test, images)
    segmenter = options.load_segmenter(model, adapter, device, runtime, precision).merged()

    with shown("evaluation", "images", first=0) as update:

        def show(step: Progress) -> None:
            dice = f"Dice@1 {step.dice_first:.3f} · Dice@{clicks} {step.dice_last:.3f}"
            update(step.images, step.total, dice)

        result = measure(segmenter, dataset, clicks=clicks, out=out, progress=show, limit=limit, overwrite=overwrite)
    _print_summary(result, out)


def _print_summary(result: "Result", out: Path) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    metrics = result.metrics()
    table = Table(title=escape(f"{result.name} on {result.dataset}"), title_justify="left")
    table.add_column("clicks", justify="right")
    table.add_column("Dice", justify="right")
    table.add_column("IoU", justify="right")
    for k, (dice, iou) in enumerate(zip(metrics["dice_at_clicks"], metrics["iou_at_clicks"], strict=True), start=1):
        table.add_row(str(k), f"{dice:.4f}", f"{iou:.4f}")
    console = Console()
    console.print(table)
    console.print(
        f"{metrics['objects']} objects in {metrics['images']} images · "
        + " · ".join(f"NoC@{t} {metrics['noc'][t]:.2f} ({metrics['failures'][t]} never)" for t in metrics["noc"]),
        highlight=False,
    )
    console.print(
        f"HD95 {metrics['surface']['hd95_px']:.2f} px · surface Dice at 2 px "
        f"{metrics['surface']['nsd_2px']:.4f} · encode {metrics['seconds']['encode']:.2f} s, "
        f"decode {metrics['seconds']['decode']:.2f} s per image",
        highlight=False,
    )
    console.print(f"report: {out / 'report.html'}", markup=False, highlight=False, soft_wrap=True)
