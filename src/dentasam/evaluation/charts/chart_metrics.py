"""The `chart` of metrics.json. Every mean is a sum over images divided by another, so that intervals can be drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dentasam.evaluation.charts.calibration import calibration
from dentasam.evaluation.charts.chart_result import ChartImage, ChartObject, ChartResult
from dentasam.evaluation.charts.ground_truth import DENTITIONS
from dentasam.evaluation.charts.matching import IOU_THRESHOLD
from dentasam.evaluation.result import TOOTH_TYPES
from dentasam.model.chart.dentition import IMPLANT, chart_place

# What is added up, and over what, of each image. All are shares from 0 to 1 but errors_per_chart.
MEASURES: dict[str, Callable[[ChartImage], tuple[float, float]]] = {
    "precision": lambda image: (len(image.matched), image.found),
    "recall": lambda image: (len(image.matched), len(image.teeth)),
    "f1": lambda image: (2 * len(image.matched), image.found + len(image.teeth)),
    "numbered": lambda image: (image.right, len(image.teeth)),
    "numbered_of_found": lambda image: (image.right, len(image.matched)),
    "errors_per_chart": lambda image: (image.errors, 1),
    "perfect_charts": lambda image: (image.errors == 0, 1),
    "dice_at_0": lambda image: dice_sum(image, 0),
}

MEASURE_NAMES = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "numbered": "found and numbered right",
    "numbered_of_found": "of the found, numbered right",
    "errors_per_chart": "errors a chart",
    "perfect_charts": "perfect charts",
    "dice_at_0": "Dice of the found, no click",
}


def in_percent(measure: str) -> bool:
    """Whether a measure is shown in per cent."""
    return measure not in ("errors_per_chart", "dice_at_0")


def dice_sum(image: ChartImage, clicks: int) -> tuple[float, float]:
    """The sum of the found teeth's Dice after so many corrections, and how many teeth they are."""
    return sum(item.dice[clicks] for item in image.matched), len(image.matched)


def mean_of(images: Iterable[ChartImage], measure: Callable[[ChartImage], tuple[float, float]]) -> float | None:
    """A measure of several images together; None where there is nothing to divide by."""
    hits, given = (sum(part) for part in zip(*map(measure, images), strict=True))
    return round(hits / given, 6) if given else None


def chart_metrics(result: ChartResult) -> dict[str, Any]:
    """The content of `chart` in metrics.json."""
    images = result.images
    by_dentition = result.images_by(lambda image: (image.dentition,))
    return {
        "images": len(images),
        "teeth": result.teeth,
        "found": sum(image.found for image in images),
        "matched": sum(len(image.matched) for image in images),
        "right": sum(image.right for image in images),
        "missed": sum(image.missed for image in images),
        "false": sum(image.false for image in images),
        "misnumbered": sum(image.misnumbered for image in images),
        "ignored": sum(image.ignored for image in images),
        "iou": IOU_THRESHOLD,
        "clicks": result.clicks,
        "head": result.head,
        "windows": result.windows,
        "repair": result.repair,
        **_means(images),
        "dice_at_clicks": [
            mean_of(images, lambda image, k=k: dice_sum(image, k))  # type: ignore[misc]
            for k in range(1, result.clicks + 1)
        ],
        "ap": result.ap,
        "implants": _implants(images),
        "confusions": confusions(images),
        "by_tag": _groups(result.images_by(lambda image: image.tags)),
        "by_tooth_type": by_tooth_type(images),
        "by_dentition": _groups({name: by_dentition[name] for name in DENTITIONS if name in by_dentition}),
        "confidence": calibration(images).to_dict(),
        "seconds": {phase: round(value, 4) for phase, value in result.seconds.items()},
    }


def confusions(images: Iterable[ChartImage]) -> dict[str, dict[str, int]]:
    """How often a true number was given another one: `{"18": {"17": 3}}`, both in chart order."""
    pairs = [
        (item.true_number, item.found_number)
        for image in images
        for item in image.matched
        if item.kind == "misnumbered" and item.true_number and item.found_number
    ]
    found: dict[str, dict[str, int]] = {}
    for true, named in sorted(pairs, key=lambda pair: (*map(chart_place, pair), *pair)):
        row = found.setdefault(true, {})
        row[named] = row.get(named, 0) + 1
    return found


def by_tooth_type(images: Sequence[ChartImage]) -> dict[str, dict[str, Any]]:
    """What became of the true teeth of each type. A false tooth has no true type, so there is no precision."""
    groups: dict[str, list[ChartObject]] = {}
    for image in images:
        for item in image.teeth:
            groups.setdefault(item.tooth_type, []).append(item)
    rows = {}
    for kind in (kind for kind in TOOTH_TYPES if kind in groups):
        teeth = groups[kind]
        matched = [item for item in teeth if item.found_number is not None]
        right = sum(item.kind == "right" for item in teeth)
        rows[kind] = {
            "teeth": len(teeth),
            "recall": _share(len(matched), len(teeth)),
            "numbered": _share(right, len(teeth)),
            "numbered_of_found": _share(right, len(matched)),
            "dice_at_0": _share(sum(item.dice[0] for item in matched), len(matched)),
        }
    return rows


def _means(images: Sequence[ChartImage]) -> dict[str, float | None]:
    return {name: mean_of(images, measure) for name, measure in MEASURES.items()}


def _groups(groups: dict[str, list[ChartImage]]) -> dict[str, dict[str, Any]]:
    return {
        name: {"images": len(part), "teeth": sum(len(image.teeth) for image in part), **_means(part)}
        for name, part in groups.items()
    }


def _implants(images: Iterable[ChartImage]) -> dict[str, Any]:
    true, found, right = (sum(part) for part in zip(*(image.implants for image in images), strict=True))
    dice = [
        item.dice[0] for image in images for item in image.objects if item.true_number == item.found_number == IMPLANT
    ]
    return {
        "true": true,
        "found": found,
        "right": right,
        "precision": _share(right, found),
        "recall": _share(right, true),
        "f1": _share(2 * right, true + found),
        "dice_at_0": _share(sum(dice), len(dice)),
    }


def _share(hits: float, given: float) -> float | None:
    return round(hits / given, 6) if given else None
