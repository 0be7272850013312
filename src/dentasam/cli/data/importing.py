"""`dentasam data import`: datasets of other tools, and radiographs of a PACS."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from dentasam.cli import options
from dentasam.cli.console import say, warn
from dentasam.cli.data.arguments import DICOMWEB, InsecureHttp, Numbers, Out, names_line, size
from dentasam.data.formats.catalogue import Format
from dentasam.errors import DatasetError

# Of `dicomweb`, where the user gives none.
LIMIT, TIMEOUT = 1000, 60.0


def import_(
    source: Annotated[
        Path, typer.Argument(help="An annotation file, a folder, a zip or tar archive of one; or `dicomweb`.")
    ],
    out: Out,
    url: Annotated[str | None, typer.Argument(help="With `dicomweb`: the address of the PACS's service.")] = None,
    format: Annotated[Format | None, typer.Option("--format", help="What SOURCE is; recognised if left out.")] = None,
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="DIR", help="Folder of the images, where they do not lie with SOURCE."),
    ] = None,
    follow_links: options.FollowLinks = False,
    numbering: Numbers = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out images and objects with an error, and list them.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an import that was interrupted.")] = False,
    crowd_as_objects: Annotated[
        bool,
        typer.Option("--crowd-as-objects", help="Take iscrowd 1 for an object, for masks from CVAT or Datumaro."),
    ] = False,
    filter: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="KEY=VALUE", help="dicomweb: what to search for; may be repeated."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help=f"dicomweb: the most images, {LIMIT} if left out.")
    ] = None,
    with_seg: Annotated[
        bool, typer.Option("--with-seg", help="dicomweb: also fetch the segmentations of the images.")
    ] = False,
    insecure_http: InsecureHttp = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            min=1,
            help=f"dicomweb: longest wait for an answer, {TIMEOUT:.0f} if left out.",
        ),
    ] = None,
) -> None:
    """Write a COCO dataset and its images under --out, from SOURCE in any format of `dentasam data formats`.

    `dentasam data import dicomweb URL` fetches radiographs from a PACS.
    """
    if str(source) == DICOMWEB and url is not None:
        _from_pacs(url, out, filter or (), limit or LIMIT, with_seg, resume, insecure_http, timeout or TIMEOUT)
        return
    if str(source) == DICOMWEB and not source.exists():
        raise DatasetError(f"{DICOMWEB} needs the address of the PACS's service; give `{DICOMWEB} URL`")
    if url is not None:
        raise DatasetError(f"{url} follows {source}; an address may be given only after `dicomweb`")
    of_pacs = {
        "--filter": filter,
        "--limit": limit,
        "--with-seg": with_seg,
        "--insecure-http": insecure_http,
        "--timeout": timeout,
    }
    if given_too := [option for option, value in of_pacs.items() if value]:
        raise DatasetError(
            f"{source}: {' and '.join(given_too)} can be given only with `{DICOMWEB} URL`; leave that out"
        )
    from dentasam.data.dataset import Dataset
    from dentasam.data.formats.interface import ImportOptions
    from dentasam.data.formats.registry import import_dataset
    from dentasam.progress import shown

    def tell(line: str) -> None:
        warn(f"{source}: {line}")

    left_out: list[str] = []
    recognised: list[str] = []
    with shown("import", "images", transient=True) as update:
        given = ImportOptions(
            images=images,
            crowd_as_objects=crowd_as_objects,
            numbering=numbering,
            resume=resume,
            skip_bad=left_out.append if skip_bad else None,
            report=tell,
            progress=update,
            unpacking=lambda done, total: update(0, 1, f"unpacking, {100 * done // max(total, 1)} %"),
            recognised=recognised.append,
            follow_links=follow_links,
        )
        path = import_dataset(format and format.value, source, out, given)
    if format is None and recognised:
        say(f"{source}: read as {recognised[0]}")
    for line in left_out:
        warn(f"left out: {line}")
    loaded = Dataset.load(path)
    say(size(path, len(loaded.images), loaded.objects))
    names = names_line(record.category for image in loaded.images for record in image.objects)
    if names is not None:
        say(names)
    if left_out:
        say(f"left out: {len(left_out)} with errors, listed above")


def _from_pacs(
    url: str,
    out: Path,
    filters: Sequence[str],
    limit: int,
    with_seg: bool,
    resume: bool,
    insecure_http: bool,
    timeout: float,
) -> None:
    from dentasam.data.dataset import Dataset
    from dentasam.data.pacs.importing import import_dicomweb
    from dentasam.progress import shown

    with shown("import", "instances", transient=True) as update:
        path = import_dicomweb(
            url,
            out,
            filters,
            limit=limit,
            with_seg=with_seg,
            resume=resume,
            insecure_http=insecure_http,
            answer_seconds=timeout,
            report=warn,
            progress=update,
        )
    loaded = Dataset.load(path)
    say(size(path, len(loaded.images), loaded.objects))
