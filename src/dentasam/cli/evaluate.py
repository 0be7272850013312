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
    windows: options.Windows = True,
    repair: options.Repair = True,
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

        result = measure(
            segmenter,
            dataset,
            clicks=clicks,
            out=out,
            progress=show,
            limit=limit,
            overwrite=overwrite,
            windows=windows,
            repair=repair,
        )
    _print_summary(result, out)


def _print_summary(result: "Result", out: Path) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from dentasam.evaluation.click_shares import KINDS

    metrics = result.metrics()
    table = Table(title=escape(f"{result.name} on {result.dataset}"), title_justify="left")
    table.add_column("clicks", justify="right")
    table.add_column("Dice", justify="right")
    table.add_column("IoU", justify="right")
    for kind in KINDS:
        table.add_column(kind, justify="right")
    for k in range(result.clicks):
        shares = [f"{100 * metrics[f'{kind}_at_clicks'][k]:.1f} %" for kind in KINDS]
        table.add_row(str(k + 1), *(f"{metrics[f'{name}_at_clicks'][k]:.4f}" for name in ("dice", "iou")), *shares)
    console = Console()
    console.print(table)
    answers, surface = metrics["answers"], metrics["surface"]
    console.print(
        f"{metrics['objects']} objects in {metrics['images']} images · {answers['window']} answers in object "
        f"windows, {answers['whole_image']} on the whole image",
        highlight=False,
    )
    for measure, of in (("IoU", ""), ("Dice", "_dice")):
        noc, failures = metrics[f"noc{of}"], metrics[f"failures{of}"]
        needed = " · ".join(f"{measure} 0.{t} {noc[t]:.2f} ({failures[t]} never)" for t in noc)
        console.print(f"mean clicks to {needed}", highlight=False)
    millimetres = "" if surface["hd95_mm"] is None else f", {surface['hd95_mm']:.3f} mm"
    console.print(
        f"HD95 {surface['hd95_px']:.2f} px, {surface['hd95_permille']:.2f} ‰ of the width{millimetres} · "
        f"surface Dice at 2 px {surface['nsd_2px']:.4f}, at 1 ‰ {surface['nsd_1permille']:.4f} · encode "
        f"{metrics['seconds']['encode']:.2f} s, decode {metrics['seconds']['decode']:.2f} s per image",
        highlight=False,
    )
    console.print(f"report: {out / 'report.html'}", markup=False, highlight=False, soft_wrap=True)
