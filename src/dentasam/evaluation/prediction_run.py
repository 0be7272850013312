"""A run over many images with their prompts: masks in a dataset format, overlays and a table in one folder.

Under `accelerate launch`, each process predicts every n-th image, and the first one writes the results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

import cv2
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from rich.console import Console

from dentasam.data.dataset import Dataset, ImageRecord
from dentasam.data.formats.files.folders import write_png, writing
from dentasam.data.formats.registry import export_dataset
from dentasam.data.images.pictures import displayable
from dentasam.data.prompt_files.sources import PromptSources
from dentasam.data.table import csv_text
from dentasam.evaluation.overlays import whole_image
from dentasam.evaluation.pixel_budget import return_huge
from dentasam.evaluation.prediction import PredictedImage, PromptedImage, predict_images
from dentasam.files.output_folder import claim_folder
from dentasam.files.whole_file import write_whole
from dentasam.model.core.memory import release_freed_memory
from dentasam.model.segmenter import Segmenter
from dentasam.processes import all_or_none, launched
from dentasam.progress import shown

COLUMNS = ("image", "object", "category", "score", "area_px")


@dataclass(frozen=True)
class PredictionSummary:
    """seconds: from the first image to the last mask. notes: what the format could not keep, a line each."""

    images: int
    objects: int
    seconds: float
    notes: tuple[str, ...]


def predict_to_folder(
    images: Sequence[Path],
    sources: PromptSources,
    out: Path,
    format: str,
    load: Callable[[str | None], Segmenter],
    *,
    cpu: bool,
    windows: bool,
    repair: bool,
    say: Callable[[str], None],
    complain: Callable[[str], None],
    warn: Callable[[str], None],
) -> PredictionSummary | None:
    """Predicts the images into the folder `out`, new or empty; None in a process that is not the first.

    format: of the masks, by its name in `data.formats.registry`. load: makes the model; it takes the device of this
    process where there are several processes, else None. cpu: whether a GPU stays unused. windows, repair: see
    `predict_images`. say, complain, warn: take a
    line about each image, an object that was not found, and a prompt that was not used. Raises PromptError,
    ImageError or OutputError, before a model is loaded where the files alone show the error.
    """
    images = list(dict.fromkeys(images))
    wanted = [sources.of(path) for path in images]
    named = zip(unique_names(images).items(), wanted, strict=True)
    asked = [PromptedImage(path, name, objects) for (path, name), objects in named]
    with launched(cpu=cpu or not torch.cuda.is_available()) as processes:
        with all_or_none(processes):
            if processes.is_main_process:
                for line in sources.warnings(images):
                    warn(line)
                claim_folder(out)
        segmenter = load(str(processes.device) if processes.num_processes > 1 else None)
        started = perf_counter()
        predicted = partial(predict_images, segmenter, windows=windows, repair=repair)
        found = _predict_together(processes, predicted, asked, say, complain)
        seconds = perf_counter() - started
    if not processes.is_main_process:
        return None
    # Free buffers of the model are in pieces that images of 100 megapixels do not fit into.
    release_freed_memory()
    notes = _write(found, out, format)
    return PredictionSummary(len(found), sum(len(image.scores) for image in found), seconds, notes)


def _predict_together(
    processes: Accelerator,
    predicted: Callable[[Sequence[PromptedImage]], Iterator[PredictedImage]],
    asked: Sequence[PromptedImage],
    say: Callable[[str], None],
    complain: Callable[[str], None],
) -> list[PredictedImage]:
    """The results of all processes in the order of the images, with the numbers that they have in one dataset."""
    mine = asked[processes.process_index :: processes.num_processes]
    found: list[PredictedImage] = []
    quiet = None if processes.is_main_process else Console(quiet=True)
    with all_or_none(processes), shown("prediction", "images", quiet, transient=True) as update:
        for image, given in zip(predicted(mine), mine, strict=True):
            for place in image.missing:
                complain(f"{given.path}: nothing found for object {place}; move its click or box")
            say(f"{given.name}: {len(image.record.objects)} objects")
            found.append(image)
            update(len(found), len(mine))
    parts = gather_object([found])  # what each process found, in the order of the processes
    # Process r had the images r, r + n, r + 2n, …
    ordered = [parts[number % len(parts)][number // len(parts)] for number in range(len(asked))]
    numbered: list[PredictedImage] = []
    next_object = 1
    for number, image in enumerate(ordered, start=1):
        numbered.append(image.numbered(number, next_object))
        next_object += len(image.scores)
    return numbered


def _write(found: Sequence[PredictedImage], out: Path, format: str) -> tuple[str, ...]:
    """Writes masks, overlays and `objects.csv`; returns the notes of the export."""
    records = tuple(image.record for image in found)
    notes = export_dataset(format, Dataset(out, records), out)
    for record in records:
        _write_overlay(record, out / "overlays" / f"{Path(record.file_name).stem}.png")
    rows: list[Sequence[object]] = [COLUMNS]
    for image in found:
        for item, score in zip(image.record.objects, image.scores, strict=True):
            rows.append([image.record.file_name, item.id, item.category, f"{score:.4f}", round(item.area)])
    table = out / "objects.csv"
    with writing(table):
        write_whole(table, csv_text(rows).encode("utf-8"))
    return notes


def _write_overlay(record: ImageRecord, path: Path) -> None:
    picture = whole_image(displayable(record.read()), record.each_mask(), record.width)
    write_png(path, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR, dst=picture))
    return_huge(record.width * record.height)


def unique_names(images: Sequence[Path]) -> dict[Path, str]:
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
