"""`dentasam predict`: masks for images from clicks or boxes in a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentasam.cli import options
from dentasam.cli.console import complain, say, warn
from dentasam.data.formats.registry import Format
from dentasam.errors import PromptError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentasam.data.prompt_files.prompts import ObjectPrompt, PromptFile


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
) -> None:
    """Masks for images from clicks or boxes, with overlays to look at."""
    from time import perf_counter

    import numpy as np
    import torch
    from accelerate.utils import gather_object
    from rich.console import Console

    from dentasam.cli.processes import launched
    from dentasam.data.dataset import Dataset
    from dentasam.data.formats.folders import write_png, writing
    from dentasam.data.formats.registry import export_dataset
    from dentasam.data.record import ImageRecord
    from dentasam.data.table import csv_text
    from dentasam.evaluation.overlays import displayable, whole_image
    from dentasam.evaluation.prediction import PredictedImage, PromptedImage, predict_images
    from dentasam.output_folder import claim_folder
    from dentasam.progress import shown
    from dentasam.training.run.distributed import all_or_none

    # What can be wrong with the user's words comes before the seconds that a model takes to load.
    images = list(dict.fromkeys(images))
    sources = _sources(prompts, boxes or [], images_file)
    wanted = [_objects(path, sources) for path in images]
    named = zip(unique_names(images).items(), wanted, strict=True)
    asked = [PromptedImage(path, name, given) for (path, name), given in named]
    with launched(cpu=device == "cpu" or not torch.cuda.is_available()) as processes:
        with all_or_none(processes):
            if processes.is_main_process:
                _warn_of_prompts(images, sources)
                claim_folder(out)
        if device is None and runtime != options.Runtime.onnx and processes.num_processes > 1:
            device = str(processes.device)
        chosen = options.chosen_adapter(model, adapter)
        segmenter = options.load_segmenter(model, chosen, device, runtime, precision).merged()

        started = perf_counter()
        found: list[PredictedImage] = []
        mine = asked[processes.process_index :: processes.num_processes]
        quiet = None if processes.is_main_process else Console(quiet=True)
        with all_or_none(processes), shown("prediction", "images", quiet, transient=True) as update:
            for image, given in zip(predict_images(segmenter, mine), mine, strict=True):
                for place in image.missing:
                    complain(f"{given.path}: nothing found for object {place}; move its click or box")
                say(f"{given.name}: {len(image.record.objects)} objects")
                found.append(image)
                update(len(found), len(mine))
        parts = gather_object([found])  # what each process found, in the order of the processes
        seconds = perf_counter() - started
    if not processes.is_main_process:
        return

    # Process r had images r, r + n, r + 2n, …
    records: list[ImageRecord] = []
    rows: list[list[object]] = [["image", "object", "category", "score", "area_px"]]
    for number in range(len(images)):
        image = parts[number % len(parts)][number // len(parts)].numbered(number + 1, len(rows))
        records.append(image.record)
        for item, score in zip(image.record.objects, image.scores, strict=True):
            rows.append([image.record.file_name, item.id, item.category, f"{score:.4f}", round(item.area)])

    for note in export_dataset(format.value, Dataset(out, tuple(records)), out):
        say(f"note: {note}")
    for record in records:
        picture = whole_image(displayable(record.read()), list(record.masks()), record.width)
        file = out / "overlays" / f"{Path(record.file_name).stem}.png"
        write_png(file, np.ascontiguousarray(picture[:, :, ::-1]))
    with writing(out / "objects.csv"):
        (out / "objects.csv").write_text(csv_text(rows), encoding="utf-8", newline="")
    say(f"{len(images)} images, {len(rows) - 1} objects, {len(images) / seconds:.2f} images/s → {out}")


def unique_names(images: "Sequence[Path]") -> dict[Path, str]:
    """A file name for each image; where its stem is taken by another image, it gets `-2`, `-3`, …"""
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for path in images:
        stem, repeat = path.stem, 1
        # Folded, because some file systems hold `A.png` and `a.png` for the same file.
        while stem.casefold() in taken:
            repeat += 1
            stem = f"{path.stem}-{repeat}"
        taken.add(stem.casefold())
        names[path] = stem + path.suffix
    return names


def _sources(prompts: Path | None, boxes: list[str], images_file: Path | None) -> "list[PromptFile | ObjectPrompt]":
    """What each option gives: a file of prompts, or an object for every image."""
    from dentasam.data.prompt_files.file import read_boxes, read_prompts
    from dentasam.data.prompt_files.prompts import ObjectPrompt, parse_box

    sources: list[PromptFile | ObjectPrompt] = []
    if prompts is not None:
        sources.append(read_prompts(prompts, images_file))
    for text in boxes:
        is_file = Path(text).is_file()
        sources.append(read_boxes(Path(text), images_file) if is_file else ObjectPrompt(box=parse_box(text)))
    return sources


def _objects(image: Path, sources: "list[PromptFile | ObjectPrompt]") -> "tuple[ObjectPrompt, ...]":
    from dentasam.data.prompt_files.prompts import ObjectPrompt

    if not sources:
        raise PromptError(f"{image}: nothing to segment; give --prompts FILE or --boxes FILE|x0,y0,x1,y1")
    return sum(((source,) if isinstance(source, ObjectPrompt) else source.of(image) for source in sources), ())


def _warn_of_prompts(images: list[Path], sources: "list[PromptFile | ObjectPrompt]") -> None:
    """A line for entries of a prompt file that serve no image: a prompt is not to be lost without a word."""
    from dentasam.data.prompt_files.prompts import PromptFile

    for source in sources:
        if not isinstance(source, PromptFile):
            continue
        for note in source.notes:
            warn(f"{source.path}: {note}")
        unused = source.unused(images)
        if unused:
            more = f" and {len(unused) - 3} more" if len(unused) > 3 else ""
            warn(f"{source.path}: none of the images is {', '.join(unused[:3])}{more}; those prompts were not used")
