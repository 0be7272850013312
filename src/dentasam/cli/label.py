"""`dentasam label`: the labelling tool in the browser, and what was labelled as files."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentasam.cli import options
from dentasam.cli.console import complain, say
from dentasam.data.formats.registry import writable
from dentasam.data.teeth.numbering import Numbering
from dentasam.errors import OutputError, WorkspaceError

if TYPE_CHECKING:
    from dentasam.model.segmenter import Segmenter

LOG = "log"


def label(
    source: Annotated[
        Path,
        typer.Argument(metavar="DIR|TRAIN.json", help="Folder of images (DICOM too), or a COCO file."),
    ],
    images: options.Images = None,
    follow_links: options.FollowLinks = False,
    model: options.Model = options.BUNDLED_MODEL,
    adapter: options.Adapter = None,
    chart_head: options.ChartHead = None,
    device: options.Device = None,
    runtime: options.OnRuntime = None,
    precision: options.OfEncoder = "auto",
    windows: options.Windows = True,
    proposals: Annotated[
        bool,
        typer.Option(
            "--proposals/--no-proposals",
            help="Find and number every tooth before anybody clicks, and offer numbers after, where the model can.",
        ),
    ] = True,
    host: Annotated[
        str,
        typer.Option("--host", help="Address to listen on; where other machines reach it, annotators must sign in."),
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            min=0,
            max=65535,
            help="Port; 0 takes a free one. If left out, the workspace's last one, 8765 at its first start.",
        ),
    ] = None,
    new_token: Annotated[
        bool,
        typer.Option("--new-token", help="Print an address with a new token and sign everybody out: old ones end."),
    ] = False,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="HOST", help="Another name of this server, as a proxy's; may be repeated."),
    ] = None,
    workspace: Annotated[
        Path | None,
        typer.Option(
            "--workspace",
            metavar="FOLDER",
            help="Where the work is kept; DIR/.dentasam or TRAIN.dentasam if left out.",
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            metavar="URL",
            envvar="DENTASAM_DATABASE",
            help="postgresql://… or sqlite:///…; a file in the workspace if left out.",
        ),
    ] = None,
    annotator: Annotated[
        str | None,
        typer.Option("--annotator", metavar="NAME", help="Whose work it is where nobody signs in; else your login."),
    ] = None,
    add_annotator: Annotated[
        str | None,
        typer.Option(
            "--add-annotator",
            metavar="NAME",
            help="Add an annotator, or give one a new password (asked for, or from stdin), and end.",
        ),
    ] = None,
    idle: Annotated[
        float, typer.Option("--idle", metavar="SECONDS", min=1, help="A longer pause does not count as active time.")
    ] = 30.0,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = False,
    export: Annotated[
        str | None,
        typer.Option(
            "--export",
            metavar="FORMAT",
            help="Write the labels in a format of `dentasam data formats`, or the correction log (log), and end.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="PATH", help="File for --export: .json for coco, .ndjson for log, else .zip."),
    ] = None,
    finished: Annotated[
        bool, typer.Option("--finished", help="With --export: only cases that are done or approved.")
    ] = False,
    numbering: Annotated[
        Numbering, typer.Option("--numbering", help="With --export: how teeth are numbered there.")
    ] = Numbering.fdi,
    timing: Annotated[
        Path | None, typer.Option("--timing", metavar="CSV", help="Write active times to a table, and end.")
    ] = None,
) -> None:
    """Label images in the browser: the model proposes, the brush corrects, nothing is lost."""
    _check_one_task(export, out, finished, timing, add_annotator)
    if add_annotator is not None:
        _add_annotator(source, workspace, images, follow_links, add_annotator)
    elif export is not None or timing is not None:
        from dentasam.labelling.exchange.offline import Place, write_export

        kind, target = ("timing", timing) if timing is not None else (str(export), out)
        damaged: list[str] = []
        assert target is not None
        say(
            write_export(
                Place(source, workspace, database, images, follow_links),
                kind,
                target,
                finished=finished,
                numbering=numbering,
                damaged=damaged,
            )
        )
        _report_damage(damaged, target)
    else:
        from dentasam.model.core.memory import share_one_arena

        share_one_arena()
        from dentasam.labelling.server.run import Settings, run

        settings = Settings(
            host=host,
            port=port,
            new_token=new_token,
            names=tuple(name or ()),
            folder=workspace,
            images=images,
            follow_links=follow_links,
            database=database,
            annotator=annotator,
            idle_seconds=idle,
            open_browser=open_browser,
            model=model,
            windows=windows,
            proposals=proposals,
        )

        def segmenter() -> "Segmenter":
            return options.load_segmenter(
                model, options.chosen_adapter(model, adapter), device, runtime, precision, chart_head
            )

        run(source, segmenter, settings, announce=say, complain=complain)


def _check_one_task(
    export: str | None, out: Path | None, finished: bool, timing: Path | None, add_annotator: str | None
) -> None:
    if sum(task is not None for task in (export, timing, add_annotator)) > 1:
        raise OutputError("--export, --timing and --add-annotator are one task each; give them one at a time")
    kinds = [*writable(), LOG]
    if export is not None and export not in kinds:
        raise OutputError(f"--export {export} is not known; give one of {', '.join(kinds)}")
    if export is not None and out is None:
        raise OutputError(f"--export {export} writes a file; name it with --out PATH")
    if export is None and out is not None:
        raise OutputError("--out is the file for --export; give --export FORMAT as well")
    if finished and export is None:
        raise OutputError("--finished chooses what --export writes; give --export FORMAT as well")


def _report_damage(damaged: list[str], target: Path) -> None:
    """Prints what an export had to leave out, and raises WorkspaceError if there is something."""
    for line in damaged:
        complain(line)
    if damaged:
        raise WorkspaceError(
            f"{target} was written without what is damaged in the database, {len(damaged)} lines above; "
            "see Damage in docs/labelling-server.md"
        )


def _add_annotator(source: Path, folder: Path | None, images: Path | None, follow_links: bool, name: str) -> None:
    from dentasam.labelling.auth.passwords import Annotators, check_name
    from dentasam.labelling.workspace.workspace import Workspace

    check_name(name)
    with Workspace.open(source, folder, images, follow_links) as opened:
        new = Annotators.of(opened.root).add(name, _password(name))
    say(f"{name} {'can sign in now' if new else 'has a new password'}")


def _password(name: str) -> str:
    """From the terminal, asked twice without echo; from the first line of stdin where that is not a terminal."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    from getpass import getpass

    password = getpass(f"Password for {name}: ")
    if getpass("Once more: ") != password:
        raise WorkspaceError("the two passwords differ; nothing was changed")
    return password
