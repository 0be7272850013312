"""A chart drawn on its radiograph: true and found outlines with their numbers, and every error named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from dentasam.data.images.pictures import PREDICTION, TRUTH, Colour, Image, displayable, outline, resized
from dentasam.evaluation.overlays import NEGATIVE, Box, decoded

if TYPE_CHECKING:
    from dentasam.data.record import ImageRecord
    from dentasam.evaluation.charts.chart_result import ChartImage, ChartObject

WIDTH = 1400
FONT, TEXT_SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.5


def chart_picture(record: ImageRecord, image: ChartImage, width: int = WIDTH) -> Image:
    """(h, width, 3) RGB: truth blue, found objects orange, the names of errors on red.

    A right tooth shows its number, `17 as 18` a wrong one, `missed 17` and `false 17` what has no counterpart. What
    is ignored is drawn without a name.
    """
    canvas = resized(displayable(record.read()), width)
    size = canvas.shape[1], canvas.shape[0]
    labelled = {entry.id: entry for entry in record.objects}
    names: list[tuple[str, np.ndarray, bool]] = []
    for item in image.objects:
        wrong = item.kind not in ("right", "ignored")
        shapes: list[tuple[np.ndarray, Colour]] = []
        if item.true_id is not None:
            shapes.append((labelled[item.true_id].mask(record.height, record.width), TRUTH))
        if item.mask is not None:
            shapes.append((decoded(item.mask, (record.height, record.width)), PREDICTION))
        small = [(cv2.resize(m.astype(np.uint8), size, interpolation=cv2.INTER_AREA) > 0, c) for m, c in shapes]
        for mask, colour in small:
            outline(canvas, mask, colour, thickness=2 if wrong else 1)
        names.append((_name(item), small[-1][0], wrong))
    taken: list[Box] = []
    for name, mask, wrong in sorted(names, key=lambda entry: entry[2]):  # errors on top
        if name and mask.any():
            rows, columns = np.nonzero(mask)
            _write(canvas, name, (float(columns.mean()), float(rows.mean())), taken if wrong else None)
    return canvas


def _name(item: ChartObject) -> str:
    if item.kind == "right":
        return item.true_number or ""
    if item.true_number and item.found_number:
        return f"{item.true_number} as {item.found_number}"
    return {"missed": f"missed {item.true_number}", "false": f"false {item.found_number}"}.get(item.kind, "")


def _write(canvas: np.ndarray, text: str, centre: tuple[float, float], taken: list[Box] | None) -> None:
    """taken: where the names of errors are; this is another, below those that it would cover. None for a number."""
    (width, height), _ = cv2.getTextSize(text, FONT, TEXT_SIZE, 1)
    x = int(np.clip(centre[0] - width / 2, 3, max(3, canvas.shape[1] - width - 3)))
    y = int(np.clip(centre[1] + height / 2, height + 3, canvas.shape[0] - 4))
    if taken is not None:
        ground = _ground(x, y, width, height)
        while ground[3] + height + 8 < canvas.shape[0] and any(_meet(ground, other) for other in taken):
            y += height + 8
            ground = _ground(x, y, width, height)
        taken.append(ground)
        cv2.rectangle(canvas, ground[:2], ground[2:], NEGATIVE, -1)
    else:
        cv2.putText(canvas, text, (x, y), FONT, TEXT_SIZE, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(canvas, text, (x, y), FONT, TEXT_SIZE, (255, 255, 255), 1, cv2.LINE_AA)


def _ground(x: int, y: int, width: int, height: int) -> Box:
    """The rectangle behind a text whose lower left corner is at x, y."""
    return x - 3, y - height - 3, x + width + 3, y + 4


def _meet(a: Box, b: Box) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]
