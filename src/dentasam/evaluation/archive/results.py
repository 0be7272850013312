"""What all charts of a folder give together, written when each image has its chart: masks and tables.

``dataset.json`` or ``labels.json``  the masks, as `--format` says
``chart.csv``                        a row per object
``charts.csv``                       a row per image

The charts are read one at a time, so an archive may be of any size. The content follows from the charts and the order
of the images alone: it is the same for a run that was interrupted, or shared out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from dentasam.data.coco.stream import stream_coco
from dentasam.data.formats import labels
from dentasam.data.formats.codecs.label_image import Lost
from dentasam.data.formats.codecs.label_names import NAMES
from dentasam.data.formats.files.folders import DATASET_NAME, inner_name, writing
from dentasam.data.record import ImageRecord
from dentasam.data.table import csv_text
from dentasam.evaluation.archive.image_chart import FOLDER, ImageChart, read_chart
from dentasam.evaluation.archive.images import NamedImage
from dentasam.evaluation.archive.settings import ChartSettings
from dentasam.files.atomic_write import DRAFT_SUFFIX, remove_stale_drafts, write_atomically
from dentasam.model.chart.dentition import CHART_NAMES

OBJECTS, IMAGES = "chart.csv", "charts.csv"
OBJECT_COLUMNS = ("image", "number", "confidence", "score", "x0", "y0", "x1", "y1", "area_px", "area_mm2")
FOUND_COLUMNS = ("width", "height", "teeth", "implants", "missing", "unsure", "mean_confidence")
IMAGE_COLUMNS = ("image", *FOUND_COLUMNS, "seconds", "error")


class Uncharted(Exception):
    """The chart of an image is damaged, or of another run; its own shard will replace it."""


@dataclass
class Totals:
    """Of a folder: images with a chart, its teeth, implants and objects left out as unsure; notes: a line each."""

    images: int = 0
    teeth: int = 0
    implants: int = 0
    unsure: int = 0
    notes: tuple[str, ...] = ()


def write_results(out: Path, images: Sequence[NamedImage], run: str, settings: ChartSettings) -> Totals:
    """Writes masks and tables of all images, in their order. Raises OutputError, and Uncharted."""
    totals = Totals()
    lost = Lost()
    with ExitStack() as stack:
        tables = _Tables(stack, out)
        names = _LabelNames(stack, out) if settings.format == "labels" else None

        def records() -> Iterator[ImageRecord]:
            nonlocal lost
            next_object = 1
            for chart, image in zip(_charts(out, images, run), images, strict=True):
                tables.add(chart)
                if chart.error:
                    continue
                totals.images += 1
                totals.teeth += chart.teeth
                totals.implants += chart.implants
                totals.unsure += len(chart.unsure)
                lost += Lost(*chart.lost)
                objects = tuple(replace(item, id=next_object + i) for i, item in enumerate(chart.objects))
                next_object += len(objects)
                # Without copies the names are those in the folder that was charted, which `--images` names.
                name = f"images/{chart.image}" if settings.copy_images else chart.image
                record = ImageRecord(totals.images, image.path, name, chart.width, chart.height, objects=objects)
                if names is not None:
                    names.add(record)
                yield record

        if settings.format == "coco":
            stream_coco(out / DATASET_NAME, records(), CHART_NAMES)
        else:
            for _ in records():
                pass
    totals.notes = lost.notes(totals.teeth + totals.implants)
    return totals


def charted(out: Path, images: Iterable[NamedImage]) -> int:
    """How many of the images have a chart."""
    return sum((out / FOLDER / f"{image.name}.json").exists() for image in images)


def remove_tables(out: Path) -> None:
    """Removes the tables of an earlier state, before a chart changes. Raises OutputError."""
    for name in (IMAGES, OBJECTS, DATASET_NAME, NAMES):
        with writing(out / name):
            (out / name).unlink(missing_ok=True)


def clear_up(out: Path, images: Iterable[NamedImage]) -> list[str]:
    """Removes what killed writers left there, and returns the names of charts whose image is not among the images."""
    known = {f"{image.name}.json" for image in images}
    others = []
    remove_stale_drafts(out)
    for place, _, files in os.walk(out / FOLDER):
        remove_stale_drafts(Path(place))
        for file in files:
            path = Path(place) / file
            if not file.endswith(DRAFT_SUFFIX) and (name := path.relative_to(out / FOLDER).as_posix()) not in known:
                others.append(name.removesuffix(".json"))
    return sorted(others)


def _charts(out: Path, images: Iterable[NamedImage], run: str) -> Iterator[ImageChart]:
    for image in images:
        chart = read_chart(out, image.name, run)
        if chart is None:
            raise Uncharted(image.name)
        yield chart


class _Tables:
    """Both tables, a row at a time; they replace the old ones when the stack is closed."""

    def __init__(self, stack: ExitStack, out: Path) -> None:
        # The file that is opened first takes its place last: where it is, everything is.
        self._images = _opened(stack, out / IMAGES)
        self._objects = _opened(stack, out / OBJECTS)
        self._objects.write(csv_text([OBJECT_COLUMNS]))
        self._images.write(csv_text([IMAGE_COLUMNS]))

    def add(self, chart: ImageChart) -> None:
        confidences = []
        for item in chart.objects:
            x, y, width, height = (round(value) for value in item.bbox)
            confidences.append(float(item.extra["confidence"]))
            area = "" if chart.mm_per_px is None else f"{item.area * chart.mm_per_px**2:.2f}"
            shares = f"{confidences[-1]:.4f}", f"{item.extra['score']:.4f}"
            box = x, y, x + width, y + height
            self._objects.write(csv_text([(chart.image, item.category, *shares, *box, round(item.area), area)]))
        mean = f"{sum(confidences) / len(confidences):.4f}" if confidences else ""
        found: Sequence[object] = ("",) * len(FOUND_COLUMNS)
        if not chart.error:
            numbers = " ".join(chart.missing), " ".join(chart.unsure)
            found = chart.width, chart.height, chart.teeth, chart.implants, *numbers, mean
        self._images.write(csv_text([(chart.image, *found, f"{chart.seconds:.3f}", chart.error)]))


class _LabelNames:
    """`labels.json`, an image at a time."""

    def __init__(self, stack: ExitStack, out: Path) -> None:
        self._file = _opened(stack, out / NAMES)
        self._separator = "{\n"
        # Runs before the file takes its place.
        stack.callback(lambda: self._file.write("{}" if self._separator == "{\n" else "\n}"))

    def add(self, image: ImageRecord) -> None:
        name, values = json.dumps(inner_name(image)), json.dumps(labels.categories_by_value(image))
        self._file.write(f"{self._separator} {name}: {values}")
        self._separator = ",\n"


def _opened(stack: ExitStack, path: Path) -> TextIO:
    """A file that replaces `path` when the stack is closed, unless an error closes it."""
    stack.enter_context(writing(path))
    draft = stack.enter_context(write_atomically(path, durable=True))
    return stack.enter_context(draft.open("w", encoding="utf-8", newline=""))
