"""A run over an archive: each image is charted and written by itself, then the tables of all.

Under `accelerate launch`, each process charts every n-th image. With shards, independent runs share out the images of
one folder; the one after which every image has its chart writes the tables.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import torch
from accelerate.utils import gather_object
from rich.console import Console

from dentasam.data.formats.files.folders import short_names
from dentasam.errors import ChartError
from dentasam.evaluation.archive.image_chart import ImageChart
from dentasam.evaluation.archive.images import NamedImage, Shard, named_images
from dentasam.evaluation.archive.one_image import ImageCharter
from dentasam.evaluation.archive.results import Totals, Uncharted, charted, clear_up, remove_tables, write_results
from dentasam.evaluation.archive.run_card import RunCard, check_free
from dentasam.evaluation.archive.settings import ChartMaker, ChartSettings
from dentasam.evaluation.several_at_once import several_at_once
from dentasam.processes import all_or_none, launched
from dentasam.progress import shown

# Where the model works on one image at a time, others are read and written meanwhile.
WORKERS_BESIDE_GPU, WORKERS_BESIDE_CPU = 4, 2
# Readers of files, to find out what is done; a network's file system answers several faster than one.
CHECKERS = 4
# An error of the program in so many images one after the other is in all of them, as when a device fails.
MAX_FAULTS_IN_A_ROW = 20


@dataclass(frozen=True)
class Refused:
    """An image without a chart, and why in one line. internal: by an error of the program."""

    image: str
    error: str
    internal: bool


@dataclass(frozen=True)
class ChartSummary:
    """is_main: whether this process is the first of its run, which reports.

    images: of this run or shard; charted: those that this call made a chart for, in so many seconds.

    refused: images of this run or shard without a chart. waiting: images that have none yet, of other shards. totals:
    of all images, None while any is waiting.
    """

    is_main: bool
    images: int
    charted: int
    seconds: float
    refused: tuple[Refused, ...]
    waiting: int
    totals: Totals | None


def chart_to_folder(
    given: Sequence[Path],
    out: Path,
    load: Callable[[str | None], ChartMaker],
    settings: ChartSettings,
    *,
    resume: bool,
    shard: Shard | None,
    cpu: bool,
    say: Callable[[str], None],
    warn: Callable[[str], None],
    follow_links: bool = False,
) -> ChartSummary:
    """Charts the images in files and folders into the folder `out`; in each process the same summary.

    load: makes the model; it takes the device of this process where there are several processes, else None.
    resume: go on with the charts that `out` holds; a shard always does. cpu: whether a GPU stays unused. say, warn:
    take a line about each image, and about what was left out. follow_links: also chart images that are links out of
    their folder. Raises ImageError, ChartError or OutputError, before anything is written where the files and the
    model alone show the error.
    """
    images, left_out = named_images(given, out, follow_links)
    resume = resume or shard is not None
    part = (shard or Shard()).of(images)
    with launched(cpu=cpu or not torch.cuda.is_available()) as processes:
        main = processes.is_main_process
        with all_or_none(processes):
            if main:
                for line in left_out:
                    warn(line)
                check_free(out, resume)
        with all_or_none(processes):
            model = load(str(processes.device) if processes.num_processes > 1 else None)
            if not model.has_chart:
                raise ChartError(
                    f"{model.name} with {model.adapter or 'no adapter'} has no chart head, so it finds no teeth by "
                    "itself; choose another --adapter, or give --prompts or --boxes"
                )
            card = RunCard.of(model, settings)
        with all_or_none(processes):
            if main:
                card.claim(out, resume)
        on_cpu = model.device.type == "cpu"
        at_once = model.images_at_once
        turn = threading.Lock() if at_once == 1 else nullcontext()
        short = short_names(image.name for image in images)
        charter = ImageCharter(model, settings, out, card.key, short, turn)
        workers = at_once if at_once > 1 else WORKERS_BESIDE_CPU if on_cpu else WORKERS_BESIDE_GPU
        mine = part[processes.process_index :: processes.num_processes]
        quiet = None if main else Console(quiet=True)
        with all_or_none(processes):
            todo, refused = _not_done(charter, mine, quiet) if resume else (mine, [])
            started = perf_counter()
            if todo and resume:
                remove_tables(out)
            refused += _chart(charter, todo, workers, quiet, say)
        seconds = perf_counter() - started
        refused = [each for found in gather_object([refused]) for each in found]
        made = sum(gather_object([len(todo)]))
        waiting, totals = 0, None
        with all_or_none(processes):
            if main:
                waiting = len(images) - charted(out, images)
                try:
                    totals = None if waiting else _finish(out, images, card, settings, warn)
                except Uncharted:
                    waiting = 1
        (waiting, totals), *_ = gather_object([(waiting, totals)])
    refused.sort(key=lambda each: each.image)
    return ChartSummary(main, len(part), made, seconds, tuple(refused), waiting, totals)


def _not_done(
    charter: ImageCharter, images: Sequence[NamedImage], quiet: Console | None
) -> tuple[list[NamedImage], list[Refused]]:
    """The images without a whole chart of their present content, and those that are known to be no images."""
    todo: list[NamedImage] = []
    refused: list[Refused] = []
    kept = several_at_once(charter.kept, images, CHECKERS, share_threads=False)
    with shown("checking what is done", "images", quiet, transient=True) as update:
        for number, (image, chart) in enumerate(zip(images, kept, strict=True), start=1):
            if chart is None:
                todo.append(image)
            elif chart.error:
                refused.append(_refusal(image, chart))
            update(number, len(images))
    return todo, refused


def _chart(
    charter: ImageCharter,
    images: Sequence[NamedImage],
    workers: int,
    quiet: Console | None,
    say: Callable[[str], None],
) -> list[Refused]:
    """Charts the images; returns those that have none."""
    refused: list[Refused] = []
    faults = 0
    made = several_at_once(charter.chart, images, workers, share_threads=charter.model.images_at_once > 1)
    with shown("charting", "images", quiet, transient=True) as update:
        for number, (image, chart) in enumerate(zip(images, made, strict=True), start=1):
            faults = faults + 1 if chart.internal else 0
            if faults == MAX_FAULTS_IN_A_ROW:
                raise RuntimeError(f"{faults} images failed one after the other, the last with {chart.error}")
            if chart.error:
                refused.append(_refusal(image, chart))
                say(f"{image.name}: no chart")
            else:
                say(f"{image.name}: {_described(chart)}")
            update(number, len(images))
    return refused


def _finish(
    out: Path, images: Sequence[NamedImage], card: RunCard, settings: ChartSettings, warn: Callable[[str], None]
) -> Totals:
    others = clear_up(out, images)
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        warn(f"{out} also holds charts of images that were not given: {others[0]}{more}; the tables leave them out")
    return write_results(out, images, card.key, settings)


def _described(chart: ImageChart) -> str:
    implants = f", {chart.implants} implant{'s' * (chart.implants != 1)}" * bool(chart.implants)
    missing = f", missing {' '.join(chart.missing)}" * bool(chart.missing)
    unsure = f", unsure {' '.join(chart.unsure)}" * bool(chart.unsure)
    return f"{chart.teeth} teeth{implants}{missing}{unsure}"


def _refusal(image: NamedImage, chart: ImageChart) -> Refused:
    return Refused(image.name, chart.error, chart.internal)
