"""`dentasam evaluate`: the click curve of a model on a dataset, or its charts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dentasam.cli import options

if TYPE_CHECKING:
    from dentasam.data.dataset import Dataset
    from dentasam.evaluation.charts.chart_result import ChartResult
    from dentasam.evaluation.result import Result
    from dentasam.model.segmenter import Segmenter


def evaluate(
    test: Annotated[Path, typer.Argument(metavar="TEST.json", help="COCO dataset with the true masks.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for metrics.json, objects.csv, report.html.")],
    model: options.Model = options.BUNDLED_MODEL,
    adapter: Annotated[
        str | None, typer.Option("--adapter", metavar="NAME|DIR", help="LoRA adapter on top of the model.")
    ] = None,
    chart_head: options.ChartHead = None,
    clicks: Annotated[
        int,
        typer.Option("--clicks", min=0, max=100, help="Clicks on every object; with --chart, corrections of it."),
    ] = 11,
    chart: Annotated[
        bool,
        typer.Option(
            "--chart", help="Find and number all teeth without a prompt, instead of clicking on each object."
        ),
    ] = False,
    images: options.Images = None,
    follow_links: options.FollowLinks = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N images.")] = None,
    device: options.Device = None,
    runtime: options.OnRuntime = None,
    precision: options.OfEncoder = "fp32",
    windows: options.Windows = True,
    repair: options.Repair = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run that --out holds already.")] = False,
) -> None:
    """Measure a model click by click: Dice and IoU after each correction click, and how good it ends.

    With --chart: teeth found, numbered right, and outlined without a click. Both can go into one folder.
    """
    from dentasam.evaluation.run_folder import CHART, CURVE, claim_run

    if clicks == 0 and not chart:
        raise typer.BadParameter(
            "0 clicks leave nothing to measure; give 1 or more, or --chart", param_hint="--clicks"
        )
    # Errors in the arguments are found before the minutes that a model may take to load.
    claim_run(out, CHART if chart else CURVE, overwrite)
    dataset = options.load_dataset(test, images, follow_links)
    if chart:
        from dentasam.evaluation.charts.ground_truth import check_numbered

        check_numbered(dataset)
    segmenter = options.load_segmenter(model, adapter, device, runtime, precision, chart_head).merged()
    measure = _measure_charts if chart else _measure_curve
    measure(
        segmenter,
        dataset,
        clicks=clicks,
        out=out,
        limit=limit,
        overwrite=overwrite,
        windows=windows,
        repair=repair,
    )


def _measure_curve(segmenter: "Segmenter", dataset: "Dataset", clicks: int, out: Path, **given: Any) -> None:
    from dentasam.evaluation.evaluate import Progress
    from dentasam.evaluation.evaluate import evaluate as measure
    from dentasam.progress import shown

    with shown("evaluation", "images", first=0) as update:

        def show(step: Progress) -> None:
            dice = f"Dice@1 {step.dice_first:.3f} · Dice@{clicks} {step.dice_last:.3f}"
            update(step.images, step.total, dice)

        result = measure(segmenter, dataset, clicks=clicks, out=out, progress=show, **given)
    _print_summary(result, out)


def _measure_charts(segmenter: "Segmenter", dataset: "Dataset", clicks: int, out: Path, **given: Any) -> None:
    from dentasam.evaluation.evaluate_charts import ChartProgress, evaluate_charts
    from dentasam.progress import shown

    with shown("charts", "images", first=0) as update:

        def show(step: ChartProgress) -> None:
            note = f"numbered {100 * step.numbered:.1f} % · {step.errors_per_chart:.2f} errors a chart"
            update(step.images, step.total, note)

        result = evaluate_charts(segmenter, dataset, clicks=clicks, out=out, progress=show, **given)
    _print_charts(result, out)


def _print_charts(result: "ChartResult", out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from dentasam.cli.console import markup, say
    from dentasam.evaluation.charts.chart_intervals import measure_intervals
    from dentasam.evaluation.charts.chart_metrics import MEASURE_NAMES, chart_metrics, in_percent

    metrics = chart_metrics(result)
    table = Table(title=markup(f"charts of {result.name} on {result.dataset}"), title_justify="left")
    table.add_column("")
    table.add_column("", justify="right")
    table.add_column("95 % interval", justify="right")
    for name, found in measure_intervals(result.images).items():
        digits, factor, unit = (1, 100, " %") if in_percent(name) else (2 if name == "errors_per_chart" else 4, 1, "")
        mean, low, high = (factor * part[0] for part in (found.mean, found.low, found.high))
        # NaN: nothing to divide by, or too few images for an interval.
        interval = f"{low:.{digits}f} to {high:.{digits}f}" if low == low else "–"
        table.add_row(MEASURE_NAMES[name], f"{mean:.{digits}f}{unit}" if mean == mean else "–", interval)
    console = Console()
    console.print(table)
    dice = metrics["dice_at_clicks"]
    corrected = f" · Dice@{len(dice)} {dice[-1]:.4f}" if dice and dice[-1] is not None else ""
    ap = " · ".join(
        f"AP {name} {metrics['ap'][key]['ap']:.4f}"
        for key, name in (("class_free", "of teeth"), ("by_number", "by number"))
        if metrics["ap"][key]["ap"] is not None
    )
    console.print(
        f"{metrics['teeth']} teeth in {metrics['images']} images: {metrics['missed']} missed, "
        f"{metrics['false']} false, {metrics['misnumbered']} misnumbered{corrected} · {ap}",
        highlight=False,
    )
    implants, seconds = metrics["implants"], metrics["seconds"]
    console.print(
        f"implants: {implants['true']} annotated, {implants['found']} found, {implants['right']} right · encode "
        f"{seconds['encode']:.2f} s, chart {seconds['chart']:.2f} s per image",
        highlight=False,
    )
    say(f"report: {out / 'report.html'}")


def _print_summary(result: "Result", out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from dentasam.cli.console import markup, say
    from dentasam.evaluation.click_shares import KINDS

    metrics = result.metrics()
    table = Table(title=markup(f"{result.name} on {result.dataset}"), title_justify="left")
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
    say(f"report: {out / 'report.html'}")
