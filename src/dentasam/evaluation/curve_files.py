"""A click curve's own files in a run folder.

``objects.csv``       a row per object
``predictions.json``  the predicted masks as a COCO result list (`COCO.loadRes`), with two keys of our own:
                      `object_id`, and `first_click`, the mask after the first click
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dentasam.data.masks import rle
from dentasam.data.table import csv_text
from dentasam.documents.values import finite
from dentasam.evaluation.click_shares import KINDS
from dentasam.evaluation.result import ObjectResult, Result
from dentasam.evaluation.run_files.table import Row, joined_tags

if TYPE_CHECKING:
    from dentasam.data.dataset import Dataset

CURVE_FILES = ("objects.csv", "predictions.json")
# Pixels; far beyond every image.
MAX_WIDTH = 1 << 30


def objects_csv(result: Result) -> str:
    """The text of objects.csv. `clicks` holds `x y label` of every click, joined by `;`; tags as by `joined_tags`.

    `unheeded`, `repaired`, `repeated` and `windowed` hold 1 or 0 for every click, joined by `;` as the clicks are.
    """
    steps = range(1, result.clicks + 1)
    fixed = ["image_id", "image", "object_id", "category", "tooth_type", "tags", "area_px"]
    measured = [f"dice_{k}" for k in steps] + [f"iou_{k}" for k in steps] + ["hd95_px", "nsd_2px", "clicks"]
    sizes = ["width_px", "mm_per_px", "hd95_permille", "hd95_mm", "nsd_1permille"]
    rows: list[list[object]] = [[*fixed, *measured, *sizes, *KINDS, "windowed"]]
    for item in result.objects:
        clicks = ";".join(f"{x:g} {y:g} {n}" for (x, y), n in zip(item.points, item.labels, strict=True))
        rows.append(
            [item.image_id, item.image, item.object_id, item.category, item.tooth_type]
            + [joined_tags(item.tags), item.area]
            + [f"{value:.6f}" for value in (*item.dice, *item.iou)]
            + [f"{item.hd95_px:.4f}", f"{item.nsd_2px:.6f}", clicks]
            + ["" if item.width is None else item.width]
            + ["" if item.mm_per_px is None else f"{item.mm_per_px:g}"]
            + ["" if value is None else f"{value:.4f}" for value in (item.hd95_permille, item.hd95_mm)]
            + ["" if item.nsd_1permille is None else f"{item.nsd_1permille:.6f}"]
            + [_flags(getattr(item, kind)) for kind in (*KINDS, "windowed")]
        )
    return csv_text(rows)


def object_result(row: Row, clicks: int) -> ObjectResult:
    """The object of a row. Raises RunError where a column is missing, or holds what no run writes."""
    steps = range(1, clicks + 1)
    points, labels = row.clicks("clicks", clicks)
    item = ObjectResult(
        image_id=row.whole("image_id"),
        image=row.text("image"),
        object_id=row.whole("object_id"),
        category=row.text("category"),
        tags=row.tags(),
        area=row.whole("area_px", low=0),
        dice=tuple(row.share(f"dice_{k}") for k in steps),
        iou=tuple(row.share(f"iou_{k}") for k in steps),
        hd95_px=row.length("hd95_px"),
        nsd_2px=row.share("nsd_2px"),
        points=points,
        labels=labels,
    )
    if "width_px" not in row:  # written by an earlier version
        return item
    return replace(
        item,
        width=row.whole("width_px", low=1, high=MAX_WIDTH) if row.raw("width_px") else None,
        mm_per_px=row.size("mm_per_px") if row.raw("mm_per_px") else None,
        nsd_1permille=row.share("nsd_1permille") if row.raw("nsd_1permille") else None,
        unheeded=row.flags("unheeded", len(points)),
        repaired=row.flags("repaired", len(points)),
        windowed=row.flags("windowed", len(points)),
    )


def _flags(events: tuple[bool, ...] | None) -> str:
    return "" if events is None else ";".join(str(int(event)) for event in events)


def predictions(result: Result, dataset: "Dataset") -> list[dict[str, Any]]:
    """The content of predictions.json."""
    ids = {category.name: category.id for category in dataset.categories}
    return [
        {
            "image_id": item.image_id,
            "object_id": item.object_id,
            "category_id": ids.get(item.category, 0),
            "segmentation": item.final,
            "score": item.score,
            "first_click": item.first,
        }
        for item in result.objects
    ]


def with_masks(result: Result, entries: Any) -> Result:
    """The result with its masks, from the content of predictions.json.

    Raises KeyError, TypeError or ValueError where they are not of the same objects, or no masks.
    """
    by_object = {entry["object_id"]: entry for entry in entries}
    found = [by_object[item.object_id] for item in result.objects]
    if any(entry["score"] is not None and finite(entry["score"]) is None for entry in found):
        raise ValueError("a score is not a number")
    _check_masks([entry[key] for entry in found for key in ("segmentation", "first_click")])
    objects = [
        replace(item, first=entry["first_click"], final=entry["segmentation"], score=entry["score"])
        for item, entry in zip(result.objects, found, strict=True)
    ]
    return replace(result, objects=tuple(objects))


def _check_masks(codes: list[Any]) -> None:
    sizes = [code["size"] for code in codes]
    for (height, width), runs in zip(sizes, rle.runs_of([code["counts"] for code in codes]), strict=True):
        if runs is None or runs.sum() != height * width:
            raise ValueError("malformed RLE")
