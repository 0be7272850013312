"""The folder of one evaluation on disk.

``metrics.json``      means, for scripts
``objects.csv``       a row per object
``predictions.json``  the predicted masks as a COCO result list (`COCO.loadRes`), with two keys of our own:
                      `object_id`, and `first_click`, the mask after the first click
``report.html``       the same for people

``metrics.json`` is written last: a folder that has it is complete.
"""

import csv
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentasam.atomic_write import write_atomically
from dentasam.data.masks import rle
from dentasam.data.table import as_written, csv_text
from dentasam.errors import DentasamError, OutputError
from dentasam.evaluation.click_shares import KINDS
from dentasam.evaluation.result import ObjectResult, Result
from dentasam.output_folder import made_folder

if TYPE_CHECKING:
    from dentasam.data.dataset import Dataset

RUN_FILES = ("metrics.json", "objects.csv", "predictions.json", "report.html")
EVALUATE_AGAIN = "run `dentasam evaluate` again"


class RunError(DentasamError):
    """A run folder is missing, damaged, or was measured on other objects than the one it is compared with."""


def claim_folder(folder: Path, files: Iterable[str], overwrite: bool = False) -> None:
    """Create an output folder, before hours of work go into it.

    Raises OutputError where it already holds one of the files (unless overwrite) or cannot be written.
    """
    present = made_folder(folder)
    held = [name for name in files if name in present]
    if held and not overwrite:
        raise OutputError(f"{folder}: holds {held[0]} of another run; give --out another folder or pass --overwrite")


def write_run(result: Result, dataset: "Dataset", report: str, folder: Path) -> None:
    """Write the four files of a run, each as a whole or not at all; report: the text of report.html."""
    (folder / "metrics.json").unlink(missing_ok=True)  # the files that it describes are about to be replaced
    write_file(folder / "objects.csv", objects_csv(result))
    write_file(folder / "predictions.json", json.dumps(_predictions(result, dataset)))
    write_file(folder / "report.html", report)
    write_file(folder / "metrics.json", to_json(result.metrics()))


def read_run(folder: Path) -> Result:
    """Read a run back. Masks are None where predictions.json is missing. Raises RunError."""
    metrics = _read_json(folder / "metrics.json")
    path = folder / "objects.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        objects = [_object_result(row, metrics["clicks"]) for row in rows]
        result = Result(
            model=metrics["model"],
            adapter=metrics["adapter"],
            dataset=metrics["dataset"],
            clicks=metrics["clicks"],
            objects=tuple(objects),
            seconds=metrics["seconds"],
            precision=metrics.get("precision", "fp32"),
            windows=metrics.get("windows"),
            repair=metrics.get("repair"),
        )
        whole = metrics["objects"] == len(objects) > 0
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); {EVALUATE_AGAIN}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path}: does not fit metrics.json beside it; {EVALUATE_AGAIN}") from error
    if not whole:
        raise RunError(f"{path}: does not fit metrics.json beside it; {EVALUATE_AGAIN}")
    predictions = folder / "predictions.json"
    return _with_masks(result, predictions) if predictions.exists() else result


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file as a whole or not at all. Raises OutputError."""
    try:
        with write_atomically(path, durable=True) as draft:
            draft.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); free space or rights") from error


def to_json(content: Any) -> str:
    """JSON without NaN and infinity, which not every reader accepts; raises ValueError for them."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def objects_csv(result: Result) -> str:
    """The text of objects.csv. `clicks` holds `x y label` of every click, joined by `;`; tags are joined by `|`.

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
            + ["|".join(item.tags), item.area]
            + [f"{value:.6f}" for value in (*item.dice, *item.iou)]
            + [f"{item.hd95_px:.4f}", f"{item.nsd_2px:.6f}", clicks]
            + ["" if item.width is None else item.width]
            + ["" if item.mm_per_px is None else f"{item.mm_per_px:g}"]
            + ["" if value is None else f"{value:.4f}" for value in (item.hd95_permille, item.hd95_mm)]
            + ["" if item.nsd_1permille is None else f"{item.nsd_1permille:.6f}"]
            + [_flags(getattr(item, kind)) for kind in (*KINDS, "windowed")]
        )
    return csv_text(rows)


def _object_result(row: dict[str, str], clicks: int) -> ObjectResult:
    given = [click.split() for click in as_written(row["clicks"]).split(";")]
    steps = range(1, clicks + 1)
    item = ObjectResult(
        image_id=int(row["image_id"]),
        image=as_written(row["image"]),
        object_id=int(row["object_id"]),
        category=as_written(row["category"]),
        tags=tuple(tag for tag in as_written(row["tags"]).split("|") if tag),
        area=int(row["area_px"]),
        dice=tuple(float(row[f"dice_{k}"]) for k in steps),
        iou=tuple(float(row[f"iou_{k}"]) for k in steps),
        hd95_px=float(row["hd95_px"]),
        nsd_2px=float(row["nsd_2px"]),
        points=tuple((float(x), float(y)) for x, y, _ in given),
        labels=tuple(int(label) for _, _, label in given),
    )
    if "width_px" not in row:  # written by an earlier version
        return item
    return replace(
        item,
        width=int(row["width_px"]) if row["width_px"] else None,
        mm_per_px=float(row["mm_per_px"]) if row["mm_per_px"] else None,
        nsd_1permille=float(row["nsd_1permille"]) if row["nsd_1permille"] else None,
        unheeded=_read_flags(row["unheeded"]),
        repaired=_read_flags(row["repaired"]),
        windowed=_read_flags(row["windowed"]),
    )


def _flags(events: tuple[bool, ...] | None) -> str:
    return "" if events is None else ";".join(str(int(event)) for event in events)


def _read_flags(text: str) -> tuple[bool, ...] | None:
    return tuple(flag == "1" for flag in text.split(";")) if text else None


def _predictions(result: Result, dataset: "Dataset") -> list[dict[str, Any]]:
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


def _with_masks(result: Result, path: Path) -> Result:
    entries = _read_json(path)
    try:
        by_object = {entry["object_id"]: entry for entry in entries}
        found = [by_object[item.object_id] for item in result.objects]
        _check_masks([entry[key] for entry in found for key in ("segmentation", "first_click")])
        objects = [
            replace(item, first=entry["first_click"], final=entry["segmentation"], score=entry["score"])
            for item, entry in zip(result.objects, found, strict=True)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path}: does not fit metrics.json beside it; {EVALUATE_AGAIN}") from error
    return replace(result, objects=tuple(objects))


def _check_masks(codes: list[Any]) -> None:
    sizes = [code["size"] for code in codes]
    for (height, width), runs in zip(sizes, rle.runs_of([code["counts"] for code in codes]), strict=True):
        if runs is None or runs.sum() != height * width:
            raise ValueError("malformed RLE")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunError(f"{path}: is missing; give a folder that `dentasam evaluate` finished") from error
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise RunError(f"{path}: is not JSON; {EVALUATE_AGAIN}") from error
