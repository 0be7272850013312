"""`dentasam predict`: masks for images from clicks or boxes in a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentasam.cli import options
from dentasam.cli.console import complain, say, warn
from dentasam.data.formats.registry import Format

if TYPE_CHECKING:
    from dentasam.model.segmenter import Segmenter


def predict(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="PNG, JPEG, TIFF or DICOM.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for masks and overlays; new or empty.")],
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
    format: Annotated[
        Format,
        typer.Option("--format", help="A COCO dataset, a PNG per object, or a label image per image."),
    ] = Format.coco,
    device: options.Device = None,
    runtime: options.OnRuntime = None,
    precision: options.OfEncoder = "auto",
    windows: options.Windows = True,
    repair: options.Repair = True,
) -> None:
    """Masks for images from clicks or boxes, with overlays to look at."""
    from dentasam.data.prompt_files.sources import PromptSources
    from dentasam.evaluation.prediction_run import predict_to_folder

    def load(device_of_process: str | None) -> "Segmenter":
        chosen = device
        if device is None and runtime != options.Runtime.onnx:
            chosen = device_of_process
        named = options.chosen_adapter(model, adapter)
        return options.load_segmenter(model, named, chosen, runtime, precision).merged()

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
