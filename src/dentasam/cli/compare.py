"""`dentasam compare`: runs against each other on the same objects."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentasam.cli import options
from dentasam.cli.console import say

if TYPE_CHECKING:
    from dentasam.evaluation.comparison.chart_comparison import ChartComparison
    from dentasam.evaluation.comparison.comparison import Comparison


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="DIR DIR…", help="Folders of `dentasam evaluate`, the base first.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for comparison.json, .html, .md, .png.")],
    dataset: Annotated[
        Path | None,
        typer.Option("--dataset", metavar="TEST.json", help="For the pictures, where it has moved."),
    ] = None,
    images: options.Images = None,
    follow_links: options.FollowLinks = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the comparison that --out holds already.")
    ] = False,
) -> None:
    """Compare runs on the same objects at equal clicks, with paired 95 % intervals of the differences."""
    from dentasam.evaluation.comparison.compare import compare as compare_runs

    comparison = compare_runs(runs, out, data=dataset, overwrite=overwrite, images=images, follow_links=follow_links)
    if comparison.curves is not None:
        _print_curves(comparison.curves)
    if comparison.charts is not None:
        _print_charts(comparison.charts)
    say(f"report: {out / 'comparison.html'}")


def _print_charts(comparison: "ChartComparison") -> None:
    from rich.console import Console
    from rich.table import Table

    from dentasam.cli.console import markup
    from dentasam.evaluation.comparison.chart_comparison import chart_rows

    table = Table(
        title=f"Charts of {len(comparison.base.images)} images with {comparison.base.teeth} teeth; 95 % intervals in "
        "brackets",
        title_justify="left",
    )
    table.add_column("")
    for name in comparison.names:
        table.add_column(markup(name), justify="right")
    for heading in comparison.headings:
        table.add_column(markup(heading), justify="right", no_wrap=True)
    for row in chart_rows(comparison):
        cells = [f"{mean.mean[0]:.{row.digits}f}" if mean.mean[0] == mean.mean[0] else "–" for mean in row.means]
        for delta in row.differences:
            mean, low, high = (float(part[0]) for part in (delta.mean, delta.low, delta.high))
            better, worse = (high < 0, low > 0) if row.smaller_is_better else (low > 0, high < 0)
            colour = "green" if better else "red" if worse else "default"
            interval = markup(f" [{low:+.{row.digits}f}, {high:+.{row.digits}f}]") if low == low else ""
            cells.append(f"[{colour}]{mean:+.{row.digits}f}[/]{interval}" if mean == mean else "–")
        table.add_row(row.name, *cells)
    Console().print(table)


def _print_curves(comparison: "Comparison") -> None:
    from rich.console import Console
    from rich.table import Table

    from dentasam.cli.console import markup

    base = comparison.base
    table = Table(
        title=f"Dice over {len(base.objects)} objects in {base.images} images; 95 % intervals in brackets",
        title_justify="left",
    )
    table.add_column("clicks", justify="right")
    for name in comparison.names:
        table.add_column(markup(name), justify="right")
    for heading in comparison.headings:
        table.add_column(markup(heading), justify="right", no_wrap=True)
    for k in range(base.clicks):
        cells = [f"{means.dice.mean[k]:.4f}" for means in comparison.means]
        for difference in comparison.differences:
            dice = difference.overall.dice
            mean, low, high = dice.mean[k], dice.low[k], dice.high[k]
            colour = "green" if low > 0 else "red" if high < 0 else "default"
            interval = markup(f" [{low:+.3f}, {high:+.3f}]") if low == low else ""  # NaN: too few images
            cells.append(f"[{colour}]{mean:+.4f}[/]{interval}")
        table.add_row(str(k + 1), *cells)
    Console().print(table)
