"""Whether the means in metrics.json are those of the tables beside it: one of the two may have been changed alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dentasam.documents.shown import shown
from dentasam.documents.values import finite
from dentasam.evaluation.charts.chart_metrics import MEASURES, chart_metrics
from dentasam.evaluation.charts.chart_result import ChartResult
from dentasam.evaluation.result import Result
from dentasam.evaluation.run_files.errors import EVALUATE_AGAIN, RunError

# Shares have six digits in both files, pixels four in objects.csv.
SHARES_DIFFER, PIXELS_DIFFER = 1e-5, 1e-3
_CHART_COUNTS = ("images", "teeth", "found", "matched", "right", "missed", "false", "misnumbered", "ignored")


def check_curve(noted: dict[str, Any], result: Result, folder: Path) -> None:
    """Compares metrics.json with objects.csv. Raises RunError, which names both files."""
    surface = result.surface()
    measured = {
        "images": result.images,
        "dice_at_clicks": np.mean(result.dice(), axis=0).tolist(),
        "iou_at_clicks": np.mean(result.iou(), axis=0).tolist(),
        "surface": {"hd95_px": float(surface[:, 0].mean()), "nsd_2px": float(surface[:, 1].mean())},
    }
    _check(noted, measured, "", folder, "objects.csv")


def check_charts(noted: dict[str, Any], result: ChartResult, folder: Path) -> None:
    """Compares the `chart` of metrics.json with the charts' tables. Raises RunError, which names both files."""
    everything = chart_metrics(result)
    measured = {key: everything[key] for key in (*_CHART_COUNTS, *MEASURES, "dice_at_clicks")}
    _check(noted, measured, "chart.", folder, "chart_objects.csv")


def _check(noted: dict[str, Any], measured: dict[str, Any], prefix: str, folder: Path, table: str) -> None:
    for key, value, given in _differences(noted, measured, prefix):
        raise RunError(
            f"{folder / 'metrics.json'}: {key} is {shown(value)}, but {given} by {folder / table}; {EVALUATE_AGAIN}"
        )


def _differences(noted: Any, measured: Any, key: str) -> Iterator[tuple[str, Any, object]]:
    """Key, what metrics.json says, and what was measured. What an earlier version did not note is no difference."""
    if isinstance(measured, dict):
        if not isinstance(noted, dict):
            yield key.rstrip("."), noted, "several values"
            return
        for name, value in measured.items():
            if name in noted:
                inner = isinstance(value, dict)
                yield from _differences(noted[name], value, f"{key}{name}{'.' if inner else ''}")
    elif isinstance(measured, list):
        if not isinstance(noted, list) or len(noted) != len(measured):
            yield key, noted, f"{len(measured)} values"
            return
        for k, (value, given) in enumerate(zip(noted, measured, strict=True), 1):
            yield from _differences(value, given, f"{key} at click {k}")
    elif isinstance(measured, int) or measured is None:
        if noted != measured:
            yield key, noted, measured
    else:
        tolerance = PIXELS_DIFFER if key.endswith("_px") else SHARES_DIFFER
        number = finite(noted)
        if number is None or abs(number - measured) > tolerance:
            yield key, noted, round(measured, 6)
