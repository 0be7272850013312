"""The result of a check as one HTML page without scripts: what is wrong, the worst images, the ranked annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from dentasam.data.coco.problem import Problem
from dentasam.data.images.pictures import PREDICTION, TRUTH, Image, data_uri, displayable, resized
from dentasam.data.quality.check import Check, CheckedImage
from dentasam.data.quality.objects.boxed_objects import BoxedObject, boxed_objects
from dentasam.data.quality.reports.disagreement import Disagreement
from dentasam.data.quality.reports.json_report import write_report_file
from dentasam.data.record import ImageRecord
from dentasam.html_page import render

# A page of a large dataset stays small enough to open; the JSON has everything.
MAX_PICTURES, MAX_CLOSE_UPS, MAX_ROWS = 60, 24, 1000
THUMBNAIL_WIDTH, CLOSE_UP_WIDTH = 480, 240


@dataclass(frozen=True)
class ProblemRow:
    """A line of the list of all problems."""

    dataset: Path
    problem: Problem


@dataclass(frozen=True)
class ShownImage:
    """An image with its problems; picture: its `data:` address, doubtful objects in orange and others in blue."""

    image: CheckedImage
    problems: list[Problem]
    picture: str


@dataclass(frozen=True)
class ShownAnnotation:
    """An annotation that the model disagrees with; picture: a close-up with its outline."""

    item: Disagreement
    picture: str


def write_html_report(path: Path, check: Check, disagreements: Sequence[Disagreement] = ()) -> None:
    """Writes the page. Raises OutputError where the file cannot be written."""
    write_report_file(path, html_report(check, disagreements))


def html_report(check: Check, disagreements: Sequence[Disagreement] = ()) -> str:
    """The text of the page, which needs no other file. Images are read again, one at a time, for their pictures."""
    rows = [ProblemRow(dataset, problem) for dataset, found in check.problems.items() for problem in found]
    # Errors first, and else the order of the check.
    rows.sort(key=lambda row: row.problem.severity != "error")
    kinds = Counter((row.problem.kind, row.problem.severity) for row in rows)
    worst = worst_images(check)
    return render(
        "dentasam.data.quality.reports",
        "quality.html.j2",
        datasets=list(check.problems),
        images=len(check.images),
        objects=check.objects,
        errors=check.errors,
        warnings=len(rows) - check.errors,
        kinds=[(kind, severity, count) for (kind, severity), count in kinds.most_common()],
        tags=check.tag_counts,
        notes=check.notes,
        flagged=len(worst),
        worst=[shown for image, problems in worst[:MAX_PICTURES] if (shown := _shown_image(image, problems))],
        ranked=len(disagreements),
        close_ups=_close_ups(check, disagreements[:MAX_CLOSE_UPS]),
        rows=rows[:MAX_ROWS],
        all_rows=len(rows),
    )


def worst_images(check: Check) -> list[tuple[CheckedImage, list[Problem]]]:
    """The images with problems or suggested tags: most errors first, then most warnings, then most tags."""
    by_image: dict[tuple[Path, int | None], list[Problem]] = {}
    for dataset, found in check.problems.items():
        for problem in found:
            by_image.setdefault((dataset, problem.image), []).append(problem)
    listed = [(image, by_image.get((image.dataset, image.record.id), [])) for image in check.images]
    flagged = [(image, problems) for image, problems in listed if problems or image.tags]

    def badness(entry: tuple[CheckedImage, list[Problem]]) -> tuple[int, int, int]:
        image, problems = entry
        errors = sum(problem.severity == "error" for problem in problems)
        return -errors, errors - len(problems), -len(image.tags)

    return sorted(flagged, key=badness)


def _shown_image(image: CheckedImage, problems: list[Problem]) -> ShownImage | None:
    picture, objects, scale = _read(image.record, THUMBNAIL_WIDTH)
    doubtful = {problem.annotation for problem in problems}
    for item in sorted(objects, key=lambda item: item.record.id in doubtful):
        marked = item.record.id in doubtful
        _draw(picture, item, scale, (0, 0), PREDICTION if marked else TRUTH, 2 if marked else 1)
    return ShownImage(image, problems, data_uri(picture))


def _read(record: ImageRecord, width: int) -> tuple[Image, list[BoxedObject], float]:
    """The image as (h, width, 3) RGB, its objects, and the scale of the picture."""
    picture = resized(displayable(record.read()), width)
    return picture, boxed_objects(record, lambda problem: None), width / record.width


def _draw(
    canvas: Image,
    item: BoxedObject,
    scale: float,
    origin: tuple[float, float],
    colour: tuple[int, int, int],
    line: int,
) -> None:
    """An object's outline; origin: x, y of the image's pixel at the corner of the canvas."""
    outlines, _ = cv2.findContours(item.mask.bits.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    shift = np.array([item.mask.x + 0.5 - origin[0], item.mask.y + 0.5 - origin[1]])
    moved = [np.round((outline + shift) * scale - 0.5).astype(np.int32) for outline in outlines]
    cv2.polylines(canvas, moved, True, colour, line, cv2.LINE_AA)


def _close_ups(check: Check, items: Sequence[Disagreement]) -> list[ShownAnnotation]:
    records = {(image.dataset, image.record.id): image.record for image in check.images}
    pictures: dict[tuple[Path, int], str] = {}
    # Each image is read once, however many of its annotations are shown.
    for dataset, image in dict.fromkeys((item.dataset, item.image) for item in items):
        record = records.get((dataset, image))
        if record is None:
            continue
        gray = displayable(record.read())
        objects = {found.record.id: found for found in boxed_objects(record, lambda problem: None)}
        for item in items:
            if (item.dataset, item.image) == (dataset, image) and item.annotation in objects:
                pictures[dataset, item.annotation] = data_uri(_close_up(gray, objects[item.annotation]))
    return [ShownAnnotation(item, pictures.get((item.dataset, item.annotation), "")) for item in items]


def _close_up(gray: Image, item: BoxedObject) -> Image:
    """The object's outline on its surroundings, (h, w, 3) RGB."""
    (x, y), side = item.centre, 1.6 * max(item.box[2:]) + 16
    left, top = max(0, round(x - side / 2)), max(0, round(y - side / 2))
    part = gray[top : round(y + side / 2), left : round(x + side / 2)]
    canvas = resized(np.ascontiguousarray(part), CLOSE_UP_WIDTH)
    _draw(canvas, item, CLOSE_UP_WIDTH / part.shape[1], (left, top), PREDICTION, 2)
    return canvas
