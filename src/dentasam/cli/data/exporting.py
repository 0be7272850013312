"""`dentasam data export`: a dataset in the format of another tool, and segmentations for a PACS."""

from pathlib import Path
from typing import Annotated

import typer

from dentasam.cli import options
from dentasam.cli.console import say, warn
from dentasam.cli.data.arguments import InsecureHttp, Numbers, Out, size
from dentasam.data.formats.catalogue import Format
from dentasam.errors import DatasetError


def export(
    dataset: Annotated[Path, typer.Argument(help="A COCO JSON.")],
    out: Out,
    format: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.coco,
    images: options.Images = None,
    follow_links: options.FollowLinks = False,
    numbering: Numbers = None,
    stow: Annotated[
        str | None,
        typer.Option("--stow", metavar="URL", help="With dicom-seg: also store the segmentations in this PACS."),
    ] = None,
    insecure_http: InsecureHttp = False,
) -> None:
    """Write a dataset and its images under --out in another format."""
    if stow is not None and format is not Format.dicom_seg:
        raise DatasetError(f"{dataset}: --stow stores DICOM segmentations; give --format dicom-seg as well")
    from dentasam.data.formats.registry import export_dataset
    from dentasam.progress import shown

    loaded = options.load_dataset(dataset, images, follow_links)
    with shown("export", "images", transient=True) as update:
        notes = export_dataset(format.value, loaded, out, numbering, update)
    say(size(out, len(loaded.images), loaded.objects))
    for note in notes:
        say(f"note: {note}")
    if stow is not None:
        _store(stow, out, insecure_http)


def _store(url: str, out: Path, insecure_http: bool) -> None:
    """Stores the segmentations of an export, and those of its images that were not DICOM before."""
    from dentasam.data.formats.dicom.capture import written_files
    from dentasam.data.pacs.store import store_files
    from dentasam.progress import shown

    with shown("store", "files", transient=True) as update:
        report = store_files(url, written_files(out), insecure_http=insecure_http, progress=update)
    for line in report.warnings:
        warn(line)
    for refused in report.refused:
        warn(f"{refused.path}: {refused.reason}")
    say(f"{url}: {len(report.stored)} file{'s' * (len(report.stored) != 1)} stored")
    report.check()
