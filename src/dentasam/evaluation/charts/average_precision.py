"""COCO's average precision of charts, by pycocotools: of teeth whatever their number, and by number.

Objects are ranked by the chart's confidence. A chart gives only what it is sure enough of, so this is the precision
of charts as they are, not of everything that the finder could have given. Implants are left out. What is ignored
(`ground_truth.py`) is one crowd region.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from dentasam.data.masks import rle
from dentasam.evaluation.charts.ground_truth import TOOTH_NAMES, ground_truth

if TYPE_CHECKING:
    from dentasam.data.record import ImageRecord
    from dentasam.evaluation.charts.chart_result import ChartImage

TOOTH = 1
IDS = {number: place for place, number in enumerate(TOOTH_NAMES, start=1)}
# The places of IoU 0.5 and 0.75 among COCO's ten thresholds.
AT = {"ap50": 0, "ap75": 5}


def average_precision(
    records: Sequence[ImageRecord], images: Sequence[ChartImage]
) -> dict[str, dict[str, float | None]]:
    """AP at IoU 0.50:0.95, AP50 and AP75, `class_free` and `by_number` (the mean over numbers that occur).

    images: of the records, in their order. None where there are no true teeth.
    """
    teeth: list[dict[str, Any]] = []  # category is the number's place in TOOTH_NAMES
    regions: list[dict[str, Any]] = []
    for record in records:
        truth = ground_truth(record)
        size = record.height, record.width
        teeth += [
            _annotation(record.id, IDS[item.number], rle.encode_box(*item.mask, *size), size)
            for item in truth.objects
            if item.number in IDS
        ]
        if truth.ignored.any():
            regions.append(_annotation(record.id, 0, rle.encode(truth.ignored), size) | {"iscrowd": 1})
    found = [
        {
            "image_id": image.image_id,
            "category_id": IDS[item.found_number],
            "segmentation": item.mask,
            "score": item.confidence,
        }
        for image in images
        for item in image.objects
        if item.found_number in IDS
    ]
    numbers = sorted({item["category_id"] for item in teeth})
    in_all = [region | {"category_id": number} for region in regions for number in numbers]
    as_teeth = [[item | {"category_id": TOOTH} for item in part] for part in (teeth + regions, found)]
    shown = [{"id": record.id, "height": record.height, "width": record.width} for record in records]
    return {
        "class_free": _evaluated(shown, [TOOTH], *as_teeth),
        "by_number": _evaluated(shown, numbers, teeth + in_all, found),
    }


def _annotation(image_id: int, category: int, runs: np.ndarray, size: tuple[int, int]) -> dict[str, Any]:
    return {
        "image_id": image_id,
        "category_id": category,
        "segmentation": {"size": list(size), "counts": rle.to_string(runs, *size)},
        "area": rle.area_of(runs),
        "iscrowd": 0,
    }


def _evaluated(
    images: list[dict[str, int]], categories: Sequence[int], true: list[dict[str, Any]], found: list[dict[str, Any]]
) -> dict[str, float | None]:
    if not any(not item["iscrowd"] for item in true):
        return dict.fromkeys(("ap", *AT))
    if not found:
        return dict.fromkeys(("ap", *AT), 0.0)
    with contextlib.redirect_stdout(io.StringIO()):  # it reports on its progress
        truth = COCO()
        truth.dataset = {
            "images": images,
            "categories": [{"id": id} for id in categories],
            "annotations": [item | {"id": id} for id, item in enumerate(true, start=1)],
        }
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes([dict(item) for item in found]), "segm")
        run.params.areaRng, run.params.areaRngLbl = run.params.areaRng[:1], run.params.areaRngLbl[:1]
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"][:, :, :, 0, -1]  # (IoU thresholds, recalls, categories)
    return {"ap": _mean(precision)} | {name: _mean(precision[at]) for name, at in AT.items()}


def _mean(precision: np.ndarray) -> float | None:
    known = precision[precision > -1]  # categories without a true object have -1
    return round(float(known.mean()), 6) if known.size else None
