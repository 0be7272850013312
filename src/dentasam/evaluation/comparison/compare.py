"""Compare run folders, and write the comparison for people and for scripts."""

from collections.abc import Sequence
from pathlib import Path

from dentasam.evaluation.bootstrap import RESAMPLES
from dentasam.evaluation.comparison.comparison import Comparison, compare_results
from dentasam.evaluation.comparison.page import comparison_page, comparison_picture
from dentasam.evaluation.comparison.table import comparison_table
from dentasam.evaluation.run_folder import claim_folder, read_run, to_json, write_file

COMPARISON_FILES = ("comparison.json", "comparison.html", "comparison.md", "comparison.png")


def compare(
    folders: Sequence[Path],
    out: Path,
    data: Path | None = None,
    overwrite: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
    images: Path | None = None,
) -> Comparison:
    """Compare run folders, the base first, and write comparison.json, .html, .md and .png under `out`.

    data: the runs' dataset, for the panels, where it is no longer at the path that the runs noted. images: the folder
    of its images, where that is not one of the usual places. Raises RunError where the folders are fewer than two,
    damaged, or not of the same objects and clicks; OutputError where `out` is in use.
    """
    claim_folder(out, COMPARISON_FILES, overwrite)
    comparison = compare_results(folders, [read_run(folder) for folder in folders], resamples, seed)
    page = comparison_page(comparison, data or Path(comparison.base.dataset), images)
    (out / "comparison.json").unlink(missing_ok=True)  # written last: a folder that has it is complete
    write_file(out / "comparison.png", comparison_picture(comparison))
    write_file(out / "comparison.md", comparison_table(comparison))
    write_file(out / "comparison.html", page)
    write_file(out / "comparison.json", to_json(comparison.to_dict()))
    return comparison
