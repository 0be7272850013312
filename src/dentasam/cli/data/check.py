"""`dentasam data check`: what is wrong or doubtful in datasets."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentasam.cli import options
from dentasam.cli.console import say

if TYPE_CHECKING:
    from dentasam.data.quality.check import Check
    from dentasam.data.quality.reports.disagreement import Disagreement

SHOWN_DISAGREEMENTS = 10


def check(
    datasets: Annotated[list[Path], typer.Argument(help="A COCO JSON; several are the parts of a split.")],
    images: options.Images = None,
    follow_links: options.FollowLinks = False,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="HTML", help="Write a page with pictures, worst first.")
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write everything as JSON.")] = None,
    write_tags: Annotated[
        bool,
        typer.Option(
            "--write-tags",
            help="Add the suggested tags (blurred, ambiguous-boundary, overlap, artifact) to DATASETS.",
        ),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME|PATH", help="Also rank annotations by this model's disagreement."),
    ] = None,
    adapter: Annotated[
        str | None, typer.Option("--adapter", metavar="NAME|DIR", help="The same with this adapter; `none` for none.")
    ] = None,
    device: options.Device = None,
) -> None:
    """List everything that is wrong or doubtful in a dataset; exit code 2 where there is an error."""
    from dentasam.data.quality.check import check_datasets
    from dentasam.data.quality.reports.write_suggested import write_suggested_tags
    from dentasam.errors import DatasetError
    from dentasam.progress import shown

    with shown("check", "images", transient=True) as update:
        found = check_datasets(datasets, images, update, follow_links)
    for path, problems in found.problems.items():
        for problem in problems:
            say(f"{problem.severity}: {problem.line(path)}")
    for note in found.notes:
        say(f"note: {note}")
    disagreements = _disagreements(found, model, adapter, device) if model or adapter else []
    if report is not None or json is not None:
        _write(found, disagreements, report, json)
    if write_tags:
        for path, counts in write_suggested_tags(found).items():
            listed = ", ".join(f"{tag} to {count}" for tag, count in counts.items())
            say(f"{path}: added {listed or 'no tag'}")
    elif found.tag_counts:
        listed = ", ".join(f"{tag} for {count}" for tag, count in found.tag_counts.items())
        say(f"note: suggested tags: {listed}; --write-tags adds them to the images")
    if found.errors:
        have = "has" if len(found.problems) == 1 else "have"
        number = f"{found.errors} error{'s' * (found.errors > 1)}"
        raise DatasetError(
            f"{', '.join(map(str, found.problems))} {have} {number}, listed above; fix and check again"
        )
    for path, problems in found.problems.items():
        say(f"{path}: no errors, {len(problems)} warning{'s' * (len(problems) != 1)}")


def _disagreements(
    found: "Check", model: str | None, adapter: str | None, device: str | None
) -> "Sequence[Disagreement]":
    from dentasam.evaluation.label_errors import ranked_by_disagreement
    from dentasam.progress import shown

    segmenter = options.load_segmenter(model or options.BUNDLED_MODEL, adapter, device, None, "auto").merged()
    with shown("model", "images") as update:
        ranked = ranked_by_disagreement(segmenter, found.sound_images, progress=update)
    say(f"{len(ranked)} annotations, those that {segmenter.name} agrees with least:")
    for item in ranked[:SHOWN_DISAGREEMENTS]:
        place = f"{item.dataset}: image {item.image}, annotation {item.annotation}"
        say(f"{place}: {item.category}, best Dice of {len(item.dice)} clicks {item.best:.3f}")
    return ranked


def _write(found: "Check", disagreements: "Sequence[Disagreement]", report: Path | None, json: Path | None) -> None:
    from dentasam.data.quality.reports.html_report import write_html_report
    from dentasam.data.quality.reports.json_report import write_json_report

    if json is not None:
        write_json_report(json, found, disagreements)
        say(f"json: {json}")
    if report is not None:
        write_html_report(report, found, disagreements)
        say(f"report: {report}")
