"""Compare run folders, and write the comparison for people and for scripts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dentasam.evaluation.bootstrap import RESAMPLES
from dentasam.evaluation.charts.chart_result import ChartResult
from dentasam.evaluation.comparison.chart_comparison import ChartComparison, compare_charts
from dentasam.evaluation.comparison.comparison import Comparison, compare_results
from dentasam.evaluation.comparison.page import comparison_page, comparison_picture
from dentasam.evaluation.comparison.table import comparison_table
from dentasam.evaluation.result import Result
from dentasam.evaluation.run_folder import (
    NotMeasuredError,
    RunError,
    claim_folder,
    read_chart,
    read_run,
    to_json,
    write_file,
)

COMPARISON_FILES = ("comparison.json", "comparison.html", "comparison.md", "comparison.png")
Kind = TypeVar("Kind", Result, ChartResult)


@dataclass(frozen=True)
class RunComparison:
    """What all runs have: click curves, charts, or both."""

    curves: Comparison | None
    charts: ChartComparison | None

    def to_dict(self) -> dict[str, Any]:
        """The content of comparison.json: the keys of the click curves where there are any, and `chart`."""
        if self.charts is None:
            return {} if self.curves is None else self.curves.to_dict()
        alone = {
            "dataset": self.charts.base.dataset,
            "base": self.charts.names[0],
            "bootstrap": self.charts.bootstrap,
        }
        return (alone if self.curves is None else self.curves.to_dict()) | {"chart": self.charts.to_dict()}


def compare(
    folders: Sequence[Path],
    out: Path,
    data: Path | None = None,
    overwrite: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
    images: Path | None = None,
    follow_links: bool = False,
) -> RunComparison:
    """Compare run folders, the base first, and write comparison.json, .html, .md and .png under `out`.

    Click curves are compared where all runs have one, and charts where all have those.
    data: the runs' dataset, for the panels, where it is no longer at the path that the runs noted. images: the folder
    of its images, where that is not one of the usual places. follow_links: as for `Dataset.load`. Raises RunError
    where the folders are fewer than two, damaged, not of the same objects and clicks, or of different kinds;
    OutputError where `out` is in use.
    """
    claim_folder(out, COMPARISON_FILES, overwrite)
    results, charts = _all_have(folders, read_run), _all_have(folders, read_chart)
    if results is None and charts is None:
        raise RunError(
            f"{folders[0]} and the other folders have neither all a click curve nor all charts; "
            "run `dentasam evaluate` for each with --chart, or for each without"
        )
    comparison = RunComparison(
        None if results is None else compare_results(folders, results, resamples, seed),
        None if charts is None else compare_charts(folders, charts, resamples, seed),
    )
    curves = comparison.curves
    page = comparison_page(curves, comparison.charts, data, images, follow_links)
    (out / "comparison.json").unlink(missing_ok=True)  # written last: a folder that has it is complete
    write_file(out / "comparison.png", comparison_picture(curves, comparison.charts))
    write_file(out / "comparison.md", comparison_table(curves, comparison.charts))
    write_file(out / "comparison.html", page)
    write_file(out / "comparison.json", to_json(comparison.to_dict()))
    return comparison


def _all_have(folders: Sequence[Path], read: Callable[[Path], Kind]) -> list[Kind] | None:
    """What every folder holds of one kind; None where one of them has none."""
    try:
        return [read(folder) for folder in folders]
    except NotMeasuredError:
        return None
