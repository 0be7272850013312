"""From an image's file to its chart and everything that is written for it."""

from __future__ import annotations

import time
import traceback
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from dentasam.data.formats import labels, png
from dentasam.data.formats.files.folders import folder_writer, writing
from dentasam.data.images.header import ImageHeader
from dentasam.data.images.read import read_header, read_image
from dentasam.data.masks import rle
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.errors import DentasamError, ImageError
from dentasam.evaluation.archive.image_chart import ImageChart, chart_path, read_chart
from dentasam.evaluation.archive.images import NamedImage
from dentasam.evaluation.archive.picture import chart_picture
from dentasam.evaluation.archive.settings import ChartMaker, ChartSettings
from dentasam.evaluation.pixel_budget import PixelBudget, return_huge
from dentasam.files.whole_file import copy_whole
from dentasam.model.chart.chart import Chart
from dentasam.model.chart.dentition import CHART_NAMES
from dentasam.model.checkpoints.reading import sha256_of

KNOWN = frozenset(CHART_NAMES)
# Overlays at full size as PNG would take ten times the space.
JPEG_QUALITY = 90


@dataclass(frozen=True)
class ImageCharter:
    """Charts images into the folder `out`. Threads may share it.

    run: the key of the run's card. short: each image's name among the masks. turn: held while the model computes.
    budget: of the pixels of all images in work.
    """

    model: ChartMaker
    settings: ChartSettings
    out: Path
    run: str
    short: dict[str, str]
    turn: AbstractContextManager[object]
    budget: PixelBudget = field(default_factory=PixelBudget)

    def kept(self, image: NamedImage) -> ImageChart | None:
        """The chart of the image as it is now, if that is done and whole.

        An image that is not one counts as done while its bytes stay the same. A file that could not be opened does
        not, nor does an internal error.
        """
        kept = read_chart(self.out, image.name, self.run)
        if kept is None or kept.internal or not kept.sha256 or not kept.is_whole(self.out):
            return None
        if kept.sha256 != _hash(image.path):
            return None
        # The name among the masks differs where an image of the same stem was added to the archive or taken away.
        same = set(kept.files) == self._named_files(image, kept)
        return kept if same or kept.error else None

    def chart(self, image: NamedImage) -> ImageChart:
        """Charts the image, and writes everything of it.

        An error in the image or of the program is kept in the chart's `error`. Raises the errors that all images
        would meet: OutputError, ChartError and others that a user can fix.
        """
        self._remove(image)
        sha256 = _hash(image.path)
        done = ImageChart(image.name, sha256, self.run, 0.0)
        mask_files: list[str] = []
        try:
            header = read_header(image.path)
            with self.budget.taken(header.height * header.width):
                done = self._charted(image, header, done, mask_files)
        except ImageError as error:
            done = replace(done, error=_one_line(error))
        except DentasamError:
            raise
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            line = f"internal error: {type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
            done = ImageChart(image.name, sha256, self.run, 0.0, error=_one_line(line), internal=True)
            for name in (*mask_files, _overlay(image.name), _copy(image.name)):
                with writing(self.out / name):
                    (self.out / name).unlink(missing_ok=True)
        done.write(self.out)
        return done

    def _charted(self, image: NamedImage, header: ImageHeader, done: ImageChart, mask_files: list[str]) -> ImageChart:
        started = time.perf_counter()
        pixels = read_image(image.path)
        return_huge(pixels.size)
        with self.turn:
            chart = self.model.chart(pixels, windows=self.settings.windows)
        return_huge(pixels.size)
        seconds = round(time.perf_counter() - started, 3)
        height, width = pixels.shape
        done = replace(done, seconds=seconds, width=width, height=height, mm_per_px=header.mm_per_pixel)
        return self._written(image, pixels, chart, done, mask_files)

    def _written(
        self, image: NamedImage, pixels: np.ndarray, chart: Chart, done: ImageChart, mask_files: list[str]
    ) -> ImageChart:
        """Writes masks, overlay and copy of the image. mask_files: takes the path of each mask's file in
        the folder before it is written."""
        size = done.height, done.width
        unknown = set(chart.numbers) - KNOWN
        if unknown:
            raise ValueError(f"the chart has the number {min(unknown)}, which no tooth has")
        sure = chart.confidences >= self.settings.min_confidence
        held = [place for place, answer in enumerate(chart.answers) if sure[place] and answer.mask.bits.any()]
        objects = []
        for number, place in enumerate(held, start=1):
            answer = chart.answers[place]
            runs = rle.encode_box(*answer.mask, *size)
            extra = {"score": _share(answer.score), "confidence": _share(chart.confidences[place])}
            tooth = ObjectRecord.from_runs(number, chart.numbers[place], runs, *size)
            objects.append(replace(tooth, extra=extra))
        record = ImageRecord(1, image.path, image.name, done.width, done.height, objects=tuple(objects))
        lost = self._write_masks(record, image.name, mask_files)
        if self.settings.overlays:
            masks = [chart.answers[place].mask for place in held]
            numbers = [chart.numbers[place] for place in held]
            picture = chart_picture(pixels, masks, numbers, [float(chart.confidences[place]) for place in held])
            folder_writer(self.out)(_overlay(image.name), _jpeg(picture))
            del picture
        if self.settings.copy_images:
            copy = self.out / _copy(image.name)
            with writing(copy):
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy_whole(image.path, copy)
        left_out = tuple(chart.numbers[place] for place in range(len(chart)) if place not in held)
        done = replace(done, objects=tuple(objects), missing=chart.missing, unsure=left_out, lost=lost)
        names = self._named_files(image, done)
        return replace(done, files={name: (self.out / name).stat().st_size for name in sorted(names)})

    def _write_masks(self, record: ImageRecord, name: str, mask_files: list[str]) -> tuple[int, int]:
        into_folder = folder_writer(self.out)

        def write(mask: str, content: bytes) -> None:
            mask_files.append(mask)
            into_folder(mask, content)

        if self.settings.format == "png":
            png.write_masks(record, self.short[name], write)
        elif self.settings.format == "labels":
            lost = labels.write_labels(record, self.short[name], write)
            return lost.clipped, lost.vanished
        return 0, 0

    def _named_files(self, image: NamedImage, done: ImageChart) -> set[str]:
        """The paths of the files that a chart with these objects has."""
        names = set()
        if self.settings.overlays:
            names.add(_overlay(image.name))
        if self.settings.copy_images:
            names.add(_copy(image.name))
        if self.settings.format == "png":
            names |= {png.mask_name(each, self.short[image.name]) for each in done.objects}
        elif self.settings.format == "labels":
            names.add(labels.label_name(self.short[image.name]))
        return names

    def _remove(self, image: NamedImage) -> None:
        """Removes the chart of an earlier state of the image first of all, then its files, by whatever run."""
        path = chart_path(self.out, image.name)
        with writing(path):
            earlier = read_chart(self.out, image.name, None)
            path.unlink(missing_ok=True)
            for name in earlier.files if earlier else ():
                (self.out / name).unlink(missing_ok=True)


def _hash(path: Path) -> str:
    """The SHA-256 of a file; empty where it cannot be read, which the reader of images explains."""
    try:
        return sha256_of(path) if path.is_file() else ""
    except OSError:
        return ""


def _overlay(name: str) -> str:
    return f"overlays/{name}.jpg"


def _copy(name: str) -> str:
    return f"images/{name}"


def _jpeg(picture: np.ndarray) -> bytes:
    """A JPEG file of a picture (H, W, 3) RGB, whose channels are exchanged in place."""
    blue_first = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR, dst=picture)
    done, coded = cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError(f"a picture of {picture.shape} cannot be encoded as JPEG")
    return coded.tobytes()


def _share(value: float) -> float:
    return round(float(value), 4)


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
