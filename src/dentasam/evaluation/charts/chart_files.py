"""A chart run's own files in a run folder.

``chart_objects.csv``       a row per tooth and implant, true or found
``chart_images.csv``        a row per image, with its counts
``chart_predictions.json``  the found objects as a COCO result list (`COCO.loadRes`) whose score is the confidence,
                            with two keys of our own: `number`, and `predicted_iou`; `category_id` is 0 for a
                            number that is not a category of the dataset
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentasam.data.masks import rle
from dentasam.data.table import csv_text
from dentasam.documents.text import DATASET_BYTES
from dentasam.documents.values import finite
from dentasam.evaluation.charts.chart_result import ChartImage, ChartObject, ChartResult
from dentasam.evaluation.run_files.json_file import read_run_json
from dentasam.evaluation.run_files.table import Row, joined_tags, table_rows

if TYPE_CHECKING:
    from dentasam.data.dataset import Dataset

OBJECTS_FILE, IMAGES_FILE, PREDICTIONS_FILE = "chart_objects.csv", "chart_images.csv", "chart_predictions.json"
CHART_FILES = (OBJECTS_FILE, IMAGES_FILE, PREDICTIONS_FILE)
COUNTS = ("found", "right", "missed", "false", "misnumbered", "errors", "ignored")
OF_IMAGE = ("image_id", "image", "tags")
NAMES, FIT = ("kind", "true_id", "true_number", "found_number"), ("iou", "confidence", "predicted_iou")
IMPLANTS = ("implants", "implants_found", "implants_right")
OBJECT_COLUMNS = (*OF_IMAGE, *NAMES, *FIT)
IMAGE_COLUMNS = (*OF_IMAGE, "dentition", "teeth", *COUNTS, *IMPLANTS, "dice_0", "seconds")


def chart_files(result: ChartResult, dataset: Dataset) -> dict[str, str]:
    """The text of each file by its name."""
    return {
        OBJECTS_FILE: _objects_csv(result),
        IMAGES_FILE: _images_csv(result),
        PREDICTIONS_FILE: json.dumps(list(_predictions(result, dataset))),
    }


def read_chart_files(folder: Path, metrics: dict[str, Any]) -> ChartResult:
    """The result that a folder's files and its metrics.json hold.

    Raises RunError where a file is missing or holds what no run writes; KeyError, TypeError or ValueError where they
    do not fit each other.
    """
    chart = metrics["chart"]
    rows: dict[int, list[ChartObject]] = {}
    predictions: Iterator[dict[str, Any]] = iter(read_run_json(folder / PREDICTIONS_FILE, DATASET_BYTES))
    for row in table_rows(folder / OBJECTS_FILE):
        prediction = next(predictions, {}) if row.raw("found_number") else None
        rows.setdefault(row.whole("image_id"), []).append(_chart_object(row, chart["clicks"], prediction))
    images = tuple(
        ChartImage(
            image_id=row.whole("image_id"),
            image=row.text("image"),
            tags=row.tags(),
            objects=tuple(rows.pop(row.whole("image_id"), ())),
            seconds=row.length("seconds"),
        )
        for row in table_rows(folder / IMAGES_FILE)
    )
    result = ChartResult(
        model=metrics["model"],
        adapter=metrics["adapter"],
        dataset=metrics["dataset"],
        clicks=chart["clicks"],
        images=images,
        ap=chart["ap"],
        seconds=chart["seconds"],
        precision=metrics["precision"],
        windows=chart["windows"],
        repair=chart["repair"],
        head=chart["head"],
    )
    if rows or next(predictions, None) is not None or result.teeth != chart["teeth"] or not images:
        raise ValueError("rows, predictions and metrics are not of the same objects")
    return result


def _objects_csv(result: ChartResult) -> str:
    dice = [f"dice_{k}" for k in range(result.clicks + 1)]
    rows: list[Sequence[object]] = [(*OBJECT_COLUMNS, *dice)]
    for image in result.images:
        for item in image.objects:
            measured = [f"{value:.6f}" for value in item.dice] or [""] * len(dice)
            names = ["" if value is None else value for value in (item.true_id, item.true_number, item.found_number)]
            fit = [f"{item.iou:.6f}" if item.dice else "", _optional(item.confidence), _optional(item.score)]
            rows.append([*_of_image(image), item.kind, *names, *fit, *measured])
    return csv_text(rows)


def _images_csv(result: ChartResult) -> str:
    rows: list[Sequence[object]] = [IMAGE_COLUMNS]
    for image in result.images:
        dice = [item.dice[0] for item in image.matched]
        mean = f"{sum(dice) / len(dice):.6f}" if dice else ""
        counts = [getattr(image, name) for name in COUNTS]
        counted = [image.dentition, len(image.teeth), *counts, *image.implants]
        rows.append([*_of_image(image), *counted, mean, f"{image.seconds:.4f}"])
    return csv_text(rows)


def _of_image(image: ChartImage) -> list[object]:
    return [image.image_id, image.image, joined_tags(image.tags)]


def _predictions(result: ChartResult, dataset: Dataset) -> Iterator[dict[str, Any]]:
    ids = {category.name: category.id for category in dataset.categories}
    for image in result.images:
        for item in image.objects:
            if item.found_number is not None:
                yield {
                    "image_id": image.image_id,
                    "category_id": ids.get(item.found_number, 0),
                    "segmentation": item.mask,
                    "score": item.confidence,
                    "number": item.found_number,
                    "predicted_iou": item.score,
                }


def _chart_object(row: Row, clicks: int, prediction: dict[str, Any] | None) -> ChartObject:
    mask = None
    if prediction is not None:
        mask = prediction["segmentation"]
        (runs,) = rle.runs_of([mask["counts"]])
        height, width = mask["size"]
        if prediction["number"] != row.raw("found_number") or runs is None or runs.sum() != height * width:
            raise ValueError("a prediction does not fit its row")
        if not 0 <= float(prediction["score"]) <= 1 or finite(prediction["predicted_iou"]) is None:
            raise ValueError("a confidence or a score is not a number that a model gives")
    dice = [f"dice_{k}" for k in range(clicks + 1)]
    return ChartObject(
        true_id=row.whole("true_id") if row.raw("true_id") else None,
        true_number=row.raw("true_number") or None,
        found_number=row.raw("found_number") or None,
        iou=row.share("iou") if row.raw("iou") else 0.0,
        dice=tuple(map(row.share, dice)) if any(map(row.raw, dice)) else (),
        confidence=None if prediction is None else float(prediction["score"]),
        score=None if prediction is None else float(prediction["predicted_iou"]),
        ignored=row.raw("kind") == "ignored",
        mask=mask,
    )


def _optional(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"
