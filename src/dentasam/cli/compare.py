"""`dentasam compare`: runs against each other on the same objects."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentasam.cli import options

if TYPE_CHECKING:
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
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the comparison that --out holds already.")
    ] = False,
) -> None:
    """Compare runs on the same objects at equal clicks, with paired 95 % intervals of the differences."""
    from dentasam.evaluation.comparison.compare import compare as compare_runs

    _print_table(compare_runs(runs, out, data=dataset, overwrite=overwrite, images=images), out)


def _print_table(comparison: "Comparison", out: Path) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    base = comparison.base
    table = Table(
        title=f"Dice over {len(base.objects)} objects in {base.images} images; 95 % intervals in brackets",
        title_justify="left",
    )
    table.add_column("clicks", justify="right")
    for name in comparison.names:
        table.add_column(escape(name), justify="right")
    for heading in comparison.headings:
        table.add_column(escape(heading), justify="right", no_wrap=True)
    for k in range(base.clicks):
        cells = [f"{means.dice.mean[k]:.4f}" for means in comparison.means]
        for difference in comparison.differences:
            dice = difference.overall.dice
            mean, low, high = dice.mean[k], dice.low[k], dice.high[k]
            colour = "green" if low > 0 else "red" if high < 0 else "default"
            interval = escape(f" [{low:+.3f}, {high:+.3f}]") if low == low else ""  # NaN: too few images
            cells.append(f"[{colour}]{mean:+.4f}[/]{interval}")
        table.add_row(str(k + 1), *cells)
    console = Console()
    console.print(table)
    console.print(f"report: {out / 'comparison.html'}", markup=False, highlight=False, soft_wrap=True)
