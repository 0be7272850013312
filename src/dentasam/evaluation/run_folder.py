"""The folder of one evaluation on disk: the click curve, the charts, or both, of one model on one dataset.

``metrics.json``      means, for scripts; the charts' under `chart`
``report.html``       the same for people
and the files of each kind: `curve_files.py`, `charts/chart_files.py`.

Whatever is measured later into the same folder keeps what is there of the other kind. ``metrics.json`` is written
last: a folder that has it is complete.
"""

import itertools
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentasam.documents.shown import shown
from dentasam.documents.text import DATASET_BYTES, LIST_BYTES
from dentasam.documents.values import finite
from dentasam.errors import OutputError
from dentasam.evaluation.charts.chart_files import CHART_FILES, chart_files, read_chart_files
from dentasam.evaluation.charts.chart_metrics import chart_metrics
from dentasam.evaluation.charts.chart_result import ChartResult
from dentasam.evaluation.curve_files import CURVE_FILES, object_result, objects_csv, predictions, with_masks
from dentasam.evaluation.result import Result
from dentasam.evaluation.run_agreement import check_charts, check_curve
from dentasam.evaluation.run_files.errors import EVALUATE_AGAIN
from dentasam.evaluation.run_files.errors import NotMeasuredError as NotMeasuredError
from dentasam.evaluation.run_files.errors import RunError as RunError
from dentasam.evaluation.run_files.json_file import read_run_json
from dentasam.evaluation.run_files.table import table_rows
from dentasam.files.atomic_write import write_atomically
from dentasam.files.output_folder import made_folder

if TYPE_CHECKING:
    from dentasam.data.dataset import Dataset

# What a run of each kind writes, and no other kind.
CURVE, CHART = "click curve", "chart"
KINDS_OF_RUN = {CURVE: CURVE_FILES, CHART: CHART_FILES}
SHARED_FILES = ("metrics.json", "report.html")
# Characters of a path, and clicks that nobody gives to one object.
MAX_NAME, MAX_CLICKS = 4096, 10_000
# Of predictions.json, for each object on average.
MASKS_BYTES = 1 << 18


def claim_folder(folder: Path, files: Iterable[str], overwrite: bool = False) -> None:
    """Create an output folder, before hours of work go into it.

    Raises OutputError where it already holds one of the files (unless overwrite) or cannot be written.
    """
    present = made_folder(folder)
    held = [name for name in files if name in present]
    if held and not overwrite:
        raise OutputError(f"{folder}: holds {held[0]} of another run; give --out another folder or pass --overwrite")


def claim_run(folder: Path, kind: str, overwrite: bool = False) -> None:
    """`claim_folder` for a run of a kind of KINDS_OF_RUN; what only the other kind has written may be there."""
    present = made_folder(folder)
    others = {name for other, files in KINDS_OF_RUN.items() if other != kind for name in files}
    claim_folder(folder, KINDS_OF_RUN[kind] + (() if others & set(present) else SHARED_FILES), overwrite)


def kept_beside(
    folder: Path, kind: str, model: str, adapter: str | None, dataset: str, overwrite: bool = False
) -> "Result | ChartResult | None":
    """What a folder holds of the other kind, to be kept beside a new run of `kind`.

    None where it holds nothing complete, or with `overwrite` something of another model or dataset, which the new
    run replaces. Raises OutputError for that without `overwrite`, RunError where files are damaged.
    """
    if not (folder / "metrics.json").is_file():
        return None
    found: Result | ChartResult | None
    try:
        found = read_chart(folder) if kind == CURVE else read_run(folder)
    except NotMeasuredError:
        return None
    except RunError:
        if not overwrite:
            raise
        return None
    if (found.model, found.adapter, found.dataset) == (model, adapter, dataset):
        return found
    if overwrite:
        return None
    raise OutputError(
        f"{folder}: holds a run of {found.name} on {found.dataset}; give --out another folder or pass --overwrite"
    )


def write_run(
    result: Result | None, charts: ChartResult | None, new: str, dataset: "Dataset", report: str, folder: Path
) -> None:
    """Write the files of a run, each as a whole or not at all; a kind that is None has none afterwards.

    new: the kind, of KINDS_OF_RUN, that was measured just now; the other's own files are there already. report: the
    text of report.html.
    """
    path = folder / "metrics.json"
    kept = _metrics(None if new == CURVE else result, None if new == CHART else charts)
    if any((folder / name).exists() for name in KINDS_OF_RUN[new]):
        # The files that it describes are about to be replaced.
        if kept:
            write_file(path, to_json(kept))
        else:
            path.unlink(missing_ok=True)
    if new == CHART and charts is not None:
        for name, content in chart_files(charts, dataset).items():
            write_file(folder / name, content)
    if new == CURVE and result is not None:
        write_file(folder / "objects.csv", objects_csv(result))
        write_file(folder / "predictions.json", json.dumps(predictions(result, dataset)))
    write_file(folder / "report.html", report)
    write_file(path, to_json(_metrics(result, charts)))
    for kind, measured in ((CURVE, result), (CHART, charts)):
        if measured is None:
            for name in KINDS_OF_RUN[kind]:
                (folder / name).unlink(missing_ok=True)


def _metrics(result: Result | None, charts: ChartResult | None) -> dict[str, Any]:
    """The content of metrics.json; a click curve's keys where there is one, then `chart`."""
    if charts is None:
        return {} if result is None else result.metrics()
    return (_of_charts_alone(charts) if result is None else result.metrics()) | {"chart": chart_metrics(charts)}


def _of_charts_alone(charts: ChartResult) -> dict[str, Any]:
    return {
        "model": charts.model,
        "adapter": charts.adapter,
        "precision": charts.precision,
        "windows": charts.windows,
        "repair": charts.repair,
        "dataset": charts.dataset,
        "images": len(charts.images),
        "objects": charts.teeth,
        "clicks": charts.clicks,
    }


def read_chart(folder: Path) -> ChartResult:
    """Read the charts of a run back. Raises NotMeasuredError where it has none, RunError where it is damaged."""
    metrics = _read_metrics(folder)
    if "chart" not in metrics:
        raise NotMeasuredError(f"{folder}: has no charts; run `dentasam evaluate --chart` into it")
    try:
        charts = read_chart_files(folder, metrics)
        check_charts(metrics["chart"], charts, folder)
        return charts
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RunError(f"{folder / CHART_FILES[0]}: does not fit metrics.json beside it; {EVALUATE_AGAIN}") from error


def read_run(folder: Path) -> Result:
    """Read the click curve of a run back. Masks are None where predictions.json is missing.

    Raises NotMeasuredError where it has none, RunError where it is damaged.
    """
    metrics = _read_metrics(folder)
    if "dice_at_clicks" not in metrics:
        raise NotMeasuredError(f"{folder}: has no click curve; run `dentasam evaluate` into it without --chart")
    path = folder / "objects.csv"
    try:
        # One row more than there should be says enough.
        rows = itertools.islice(table_rows(path), max(0, metrics["objects"]) + 1)
        objects = [object_result(row, metrics["clicks"]) for row in rows]
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
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RunError(f"{path}: does not fit metrics.json beside it; {EVALUATE_AGAIN}") from error
    if not whole:
        raise RunError(f"{path}: does not fit metrics.json beside it; {EVALUATE_AGAIN}")
    check_curve(metrics, result, folder)
    path = folder / "predictions.json"
    if not os.path.lexists(path):
        return result
    entries = read_run_json(path, min(DATASET_BYTES, LIST_BYTES + len(objects) * MASKS_BYTES))
    try:
        return with_masks(result, entries)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RunError(f"{path}: does not fit metrics.json beside it; {EVALUATE_AGAIN}") from error


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file as a whole or not at all. Raises OutputError."""
    try:
        with write_atomically(path, durable=True) as draft:
            draft.write_bytes(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); free space or rights") from error


def to_json(content: Any) -> str:
    """JSON without NaN and infinity, which not every reader accepts; raises ValueError for them."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _read_metrics(folder: Path) -> dict[str, Any]:
    """The content of metrics.json, with values of the types that a run writes. Raises RunError."""
    path = folder / "metrics.json"
    metrics = read_run_json(path, LIST_BYTES)
    if not isinstance(metrics, dict):
        raise RunError(f"{path}: does not fit the files beside it; {EVALUATE_AGAIN}")
    chart = metrics.get("chart", {"clicks": 0, "seconds": {}})
    wrong = [key for key, fits in _FITS.items() if key in metrics and not fits(metrics[key])]
    if not isinstance(chart, dict):
        wrong.append("chart")
    else:
        wrong += [f"chart.{key}" for key in ("clicks", "seconds") if not _FITS[key](chart.get(key))]
        wrong += [f"chart.{key}" for key, fits in _CHART_FITS.items() if key in chart and not fits(chart[key])]
    if wrong:
        given = shown(metrics[wrong[0]]) if wrong[0] in metrics else "of another type"
        raise RunError(f"{path}: {wrong[0]} is {given}, which no run writes; {EVALUATE_AGAIN}")
    return metrics


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_NAME and "\0" not in value


def _is_numbers(value: object) -> bool:
    return isinstance(value, dict) and all(finite(number) is not None for number in value.values())


def _is_precision(value: object) -> bool:
    """Whether it is COCO's average precision of teeth and by number: shares, or None where there is no true one."""
    return isinstance(value, dict) and all(
        isinstance(part, dict) and all(one is None or _is_share(one) for one in part.values())
        for part in value.values()
    )


def _is_share(value: object) -> bool:
    number = finite(value)
    return number is not None and 0 <= number <= 1


_FITS: dict[str, Callable[[Any], bool]] = {
    "model": _is_name,
    "adapter": lambda value: value is None or _is_name(value),
    "dataset": _is_name,
    "precision": _is_name,
    "clicks": lambda value: type(value) is int and 0 <= value <= MAX_CLICKS,
    "objects": lambda value: type(value) is int,
    "seconds": _is_numbers,
    "windows": lambda value: value is None or type(value) is bool,
    "repair": lambda value: value is None or type(value) is bool,
}
_CHART_FITS: dict[str, Callable[[Any], bool]] = {
    "ap": lambda value: (
        _is_precision(value) and all("ap" in value.get(key, ()) for key in ("class_free", "by_number"))
    ),
    "head": lambda value: value is None or _is_name(value),
    "windows": _FITS["windows"],
    "repair": _FITS["repair"],
}
