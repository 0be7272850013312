"""Numbers for objects that have none, from the boxes and masks of all objects of their case, as a whole."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dentasam.data.images.size_limit import PIXEL_LIMIT
from dentasam.errors import ChartError
from dentasam.labelling.inference.encoding.encode_queue import EncodeQueue
from dentasam.labelling.inference.requests import Box
from dentasam.labelling.log.fold import ObjectState
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.model.chart.dentition import CHART_NAMES
from dentasam.model.windows.boxed_mask import BoxedMask

MAX_OTHERS = 3
# Beyond this many pixels in the boxes of a case's masks, objects count with their boxes alone.
MAX_MASK_PIXELS = 2 * PIXEL_LIMIT


@dataclass(frozen=True)
class AskedObject:
    """box: None for the box of its stored mask. number: the one that it keeps; None where it is to be numbered."""

    id: str
    box: Box | None = None
    number: str | None = None


@dataclass(frozen=True)
class Offer:
    """An FDI number or `supernumerary`, and how likely it is, 0 to 1."""

    number: str
    confidence: float


@dataclass(frozen=True)
class Numbered:
    """offers: the best first, then up to three others; none where the model has none."""

    id: str
    offers: tuple[Offer, ...]


def number_objects(
    queue: EncodeQueue, size: tuple[int, int], asked: Sequence[AskedObject], stored: Sequence[ObjectState]
) -> tuple[list[Numbered], float]:
    """Offers for the asked objects without a number, and the seconds that the model took.

    size: height and width of the case's image, which does not need to be encoded. stored: the present objects of the
    case. Those that are not asked for stand beside the others: with their number where a person gave or accepted it.
    Raises ChartError where the model numbers nothing, and as `EncodeQueue.served`.
    """
    served = queue.served()
    if served.chart_key is None:
        raise ChartError("this model has no chart head, so it numbers nothing; choose one that has")
    rows = _rows(asked, {known.id: known for known in stored})
    if not any(row.number is None and row.wanted for row in rows):
        return [], 0.0
    started = time.perf_counter()
    boxes = np.array([row.box for row in rows], np.float32).reshape(-1, 4)
    numbering = served.number(boxes, size, [row.number for row in rows], _decoded(rows))
    found = []
    for index, row in enumerate(rows):
        if row.number is not None or not row.wanted:
            continue
        best = numbering.numbers[index]
        offers = [] if best is None else [Offer(best, float(numbering.confidences[index]))]
        more = [Offer(name, float(share)) for name, share in numbering.alternatives[index] if name != best]
        found.append(Numbered(row.id, (*offers, *more[:MAX_OTHERS])))
    return found, time.perf_counter() - started


@dataclass(frozen=True)
class _Row:
    """An object beside the others. box: in image pixels. number: where it is sure. wanted: whether it was asked for.

    mask: the stored one, where it has that box; the page may be ahead of what is stored.
    """

    id: str
    box: Box
    mask: BoxMask | None
    number: str | None
    wanted: bool


def _rows(asked: Sequence[AskedObject], stored: Mapping[str, ObjectState]) -> list[_Row]:
    """The asked objects that have a box, then the other teeth of the case."""
    rows: list[_Row] = []
    for wanted in asked:
        mask = stored[wanted.id].mask.tight() if wanted.id in stored else None
        box = wanted.box or _box(mask)
        if box is not None:
            current = mask if box == _box(mask) else None
            rows.append(_Row(wanted.id, box, current, _number(wanted.number), wanted.number is None))
    named = {wanted.id for wanted in asked}
    for known in stored.values():
        mask = known.mask.tight()
        box = _box(mask)
        # Fillings and lesions are not teeth, and an object without a label may be one.
        other = known.category is not None and _number(known.category) is None
        if known.id not in named and box is not None and not other:
            rows.append(_Row(known.id, box, mask, None if known.proposed else known.category, False))
    return rows


def _number(category: str | None) -> str | None:
    return category if category in CHART_NAMES else None


def _decoded(rows: Sequence[_Row]) -> list[BoxedMask | None]:
    """The rows' masks, in the memory of `MAX_MASK_PIXELS`."""
    left = MAX_MASK_PIXELS
    found: list[BoxedMask | None] = []
    for row in rows:
        left -= 0 if row.mask is None else row.mask.pixels
        found.append(None if row.mask is None or left < 0 else BoxedMask(row.mask.x, row.mask.y, row.mask.bits))
    return found


def _box(mask: BoxMask | None) -> Box | None:
    """x0, y0, x1, y1 of a mask in image pixels."""
    if mask is None or not mask.pixels:
        return None
    return (mask.x, mask.y, mask.x + mask.width, mask.y + mask.height)
