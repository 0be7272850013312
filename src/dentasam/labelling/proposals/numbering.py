"""Numbers for objects that have none, from the boxes of all objects of their case, as a whole."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dentasam.errors import ChartError
from dentasam.labelling.inference.encoding.encode_queue import EncodeQueue
from dentasam.labelling.inference.requests import Box
from dentasam.labelling.log.fold import ObjectState
from dentasam.model.chart.dentition import CHART_NAMES

MAX_OTHERS = 3


@dataclass(frozen=True)
class AskedObject:
    """box: None for the box of its stored mask. number: the one that it keeps; None where it is to be numbered."""

    id: str
    box: Box | None = None
    number: str | None = None


@dataclass(frozen=True)
class Offer:
    """An FDI number or `implant`, and how likely it is, 0 to 1."""

    number: str
    confidence: float


@dataclass(frozen=True)
class Numbered:
    """offers: the best first, then up to three others; none where the model has none."""

    id: str
    offers: tuple[Offer, ...]


def number_objects(
    queue: EncodeQueue, case_id: int, asked: Sequence[AskedObject], stored: Sequence[ObjectState]
) -> tuple[list[Numbered], float]:
    """Offers for the asked objects without a number, and the seconds that the model took.

    stored: the present objects of the case. Those that are not asked for stand beside the others: with their number
    where a person gave or accepted it. Raises ChartError where the model numbers nothing, and as
    `EncodeQueue.embedding`.
    """
    if queue.chart_key is None:
        raise ChartError("this model has no chart head, so it numbers nothing; choose one that has")
    ready = queue.embedding(case_id)
    rows = _rows(asked, {known.id: known for known in stored})
    if not any(number is None and wanted for _, _, number, wanted in rows):
        return [], 0.0
    started = time.perf_counter()
    boxes = np.array([box for _, box, _, _ in rows], np.float32).reshape(-1, 4)
    numbering = ready.served.number(ready.embedding, boxes, [number for _, _, number, _ in rows])
    found = []
    for index, (id, _, known, wanted) in enumerate(rows):
        if known is not None or not wanted:
            continue
        best = numbering.numbers[index]
        offers = [] if best is None else [Offer(best, float(numbering.confidences[index]))]
        more = [Offer(name, float(share)) for name, share in numbering.alternatives[index] if name != best]
        found.append(Numbered(id, (*offers, *more[:MAX_OTHERS])))
    return found, time.perf_counter() - started


def _rows(asked: Sequence[AskedObject], stored: Mapping[str, ObjectState]) -> list[tuple[str, Box, str | None, bool]]:
    """Of each object: its id, its box, its number where that is sure, and whether it was asked for."""
    rows: list[tuple[str, Box, str | None, bool]] = []
    for wanted in asked:
        box = wanted.box or (_box(stored[wanted.id]) if wanted.id in stored else None)
        if box is not None:
            rows.append((wanted.id, box, _number(wanted.number), wanted.number is None))
    named = {wanted.id for wanted in asked}
    for known in stored.values():
        box = _box(known)
        # Fillings and lesions are no teeth, and an object without a label may be one.
        other = known.category is not None and _number(known.category) is None
        if known.id not in named and box is not None and not other:
            rows.append((known.id, box, None if known.proposed else known.category, False))
    return rows


def _number(category: str | None) -> str | None:
    return category if category in CHART_NAMES else None


def _box(known: ObjectState) -> Box | None:
    """x0, y0, x1, y1 of the object's mask in image pixels."""
    mask = known.mask.tight()
    return (mask.x, mask.y, mask.x + mask.width, mask.y + mask.height) if mask.bits.size else None
