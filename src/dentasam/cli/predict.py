"""`dentasam predict`: every tooth of a radiograph found and numbered, or masks from clicks or boxes in a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentasam.cli import options
from dentasam.cli.console import DONE, INTERNAL_ERROR, WRONG_USE, complain, say, warn
from dentasam.data.formats.catalogue import Format
from dentasam.errors import PromptError

if TYPE_CHECKING:
    from dentasam.evaluation.archive.images import Shard
    from dentasam.evaluation.archive.run import ChartSummary
    from dentasam.model.segmenter import Segmenter

# An archive may hold thousands of files that are no images; charts.csv names them all.
REFUSED_SHOWN = 50


def predict(
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE|DIR...", help="PNG, JPEG, TIFF or DICOM; without prompts also folders of them."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for masks, tables and overlays; new or empty.")],
    prompts: Annotated[
        Path | None,
        typer.Option("--prompts", metavar="FILE", help="YAML or JSON: image name → objects, clicks or box."),
    ] = None,
    boxes: Annotated[
        list[str] | None,
        typer.Option(
            "--boxes",
            metavar="FILE|x0,y0,x1,y1",
            help="A file of boxes (image name → boxes, COCO, or a detector's results list), or a box for every "
            "image; may be repeated.",
        ),
    ] = None,
    images_file: Annotated[
        Path | None,
        typer.Option(
            "--images-file",
            metavar="COCO.json",
            help="COCO file that names the images of a results list.",
        ),
    ] = None,
    model: options.Model = options.BUNDLED_MODEL,
    adapter: options.Adapter = None,
    chart_head: options.ChartHead = None,
    format: Annotated[
        Format,
        typer.Option(
            "--format",
            help="coco, png or labels; with prompts, any of `dentasam data formats`.",
        ),
    ] = Format.coco,
    device: options.Device = None,
    runtime: options.OnRuntime = None,
    precision: options.OfEncoder = "auto",
    windows: options.Windows = True,
    repair: options.Repair = True,
    min_confidence: Annotated[
        float,
        typer.Option("--min-confidence", min=0, max=1, help="Of a chart: leave out objects that it is less sure of."),
    ] = 0.0,
    overlays: Annotated[
        bool, typer.Option("--overlays/--no-overlays", help="Draw each chart on its image, or not.")
    ] = True,
    copy_images: Annotated[
        bool,
        typer.Option("--copy-images/--no-copy-images", help="Copy the charted images beside the masks, or not."),
    ] = True,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the charts in --out: skip images that are done and unchanged."),
    ] = False,
    follow_links: options.FollowLinks = False,
    shard: Annotated[
        str | None,
        typer.Option("--shard", metavar="I/N", help="Chart the I-th of N parts of the images, for job arrays."),
    ] = None,
) -> int:
    """Every tooth found, outlined and numbered; or masks from clicks or boxes. With overlays to look at."""

    def load(device_of_process: str | None) -> "Segmenter":
        chosen = device
        if device is None and runtime != options.Runtime.onnx:
            chosen = device_of_process
        named = options.chosen_adapter(model, adapter)
        return options.load_segmenter(model, named, chosen, runtime, precision, chart_head).merged()

    if prompts is None and not boxes:
        _refuse(
            "without --prompts and --boxes", {"--no-repair": not repair, "--images-file": images_file is not None}
        )
        from dentasam.evaluation.archive.run import chart_to_folder
        from dentasam.evaluation.archive.settings import ChartSettings

        settings = ChartSettings(format.value, windows, min_confidence, overlays, copy_images)
        charted = chart_to_folder(
            images,
            out,
            load,
            settings,
            resume=resume,
            shard=_parsed_shard(shard),
            cpu=device == "cpu",
            say=say,
            warn=warn,
            follow_links=follow_links,
        )
        return _report(charted, out) if charted.is_main else _exit_code(charted)
    charts_only = {
        "--min-confidence": min_confidence > 0,
        "--no-overlays": not overlays,
        "--no-copy-images": not copy_images,
        "--resume": resume,
        "--shard": shard is not None,
        "--follow-links": follow_links,
    }
    _refuse("with --prompts or --boxes", charts_only)
    from dentasam.data.prompt_files.sources import PromptSources
    from dentasam.evaluation.prediction_run import predict_to_folder

    sources = PromptSources.read(prompts, boxes or [], images_file)
    done = predict_to_folder(
        images,
        sources,
        out,
        format.value,
        load,
        cpu=device == "cpu",
        windows=windows,
        repair=repair,
        say=say,
        complain=complain,
        warn=warn,
    )
    if done is not None:
        for note in done.notes:
            say(f"note: {note}")
        pace = f"{done.images / done.seconds:.2f} images/s"
        say(f"{done.images} images, {done.objects} objects, {pace} → {out}")
    return DONE


def _refuse(where: str, given: dict[str, bool]) -> None:
    """Raises PromptError for the first option that was given although it has no effect there."""
    for option, is_given in given.items():
        if is_given:
            raise PromptError(f"{option} has no effect {where}; leave it out")


def _parsed_shard(text: str | None) -> "Shard | None":
    from dentasam.evaluation.archive.images import Shard

    try:
        return None if text is None else Shard.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--shard'") from None


def _report(done: "ChartSummary", out: Path) -> int:
    """Prints what a run of charts did, errors last; returns its exit code."""
    pace = f", {done.charted / done.seconds:.2f} images/s" if done.charted else ""
    say(f"{done.charted} of {done.images} images charted now{pace}")
    if done.totals is None:
        say(f"{done.waiting} images of other shards have no chart yet; the tables are written with the last of them")
    else:
        for note in done.totals.notes:
            say(f"note: {note}")
        totals = done.totals
        implants = f"{totals.implants} implant{'s' * (totals.implants != 1)}"
        unsure = f", {totals.unsure} unsure object{'s' * (totals.unsure != 1)} left out" * bool(totals.unsure)
        say(f"{totals.images} images, {totals.teeth} teeth, {implants}{unsure} → {out}")
    for each in done.refused[:REFUSED_SHOWN]:
        complain(f"{each.image}: no chart: {each.error}")
    if done.refused:
        table = "" if done.totals is None else "; charts.csv has all reasons"
        more = f"; the first {REFUSED_SHOWN} are above" * (len(done.refused) > REFUSED_SHOWN)
        complain(f"{len(done.refused)} of {done.images} images have no chart{more}{table}")
    return _exit_code(done)


def _exit_code(done: "ChartSummary") -> int:
    if any(each.internal for each in done.refused):
        return INTERNAL_ERROR
    return WRONG_USE if done.refused else DONE
