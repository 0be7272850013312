"""Maps of a finder that are written down by hand, and a small head."""

from __future__ import annotations

import torch

from dentasam.model.chart.finder import KINDS, NUMBER_CLASSES, FinderMaps
from dentasam.model.chart.head import ChartHead

WIDTH, DETAIL = 16, 16
NOTHING = -12.0


def empty_maps(rows: int, columns: int, width: int = WIDTH, detail: int = DETAIL) -> FinderMaps:
    """Maps of an image of `rows` x `columns` tokens on which there is nothing."""
    size = 2 * rows, 2 * columns
    return FinderMaps(
        torch.full((1, KINDS, *size), NOTHING),
        torch.zeros(1, 2, *size),
        torch.ones(1, 4, *size),
        torch.zeros(1, NUMBER_CLASSES, *size),
        torch.zeros(1, detail, *size),
        torch.zeros(1, width, rows, columns),
    )


def mark(
    maps: FinderMaps,
    kind: int,
    row: int,
    column: int,
    logit: float = 4.0,
    offset: tuple[float, float] = (0.0, 0.0),
    sides: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0),
    number: int | None = None,
) -> None:
    """Put an object's middle into a cell; offset and sides in cells."""
    maps.centres[0, kind, row, column] = logit
    maps.offsets[0, :, row, column] = torch.tensor(offset)
    maps.sides[0, :, row, column] = torch.tensor(sides)
    if number is not None:
        maps.numbers[0, number, row, column] = 20.0


def small_head(seed: int = 0) -> ChartHead:
    """A head of the smallest useful sizes with random weights."""
    torch.manual_seed(seed)
    return ChartHead(WIDTH, DETAIL, 16).eval()
