"""Maps of a finder that are written down by hand, and a small head."""

from __future__ import annotations

import torch

from dentasam.model.chart.finder import KINDS, FinderMaps
from dentasam.model.chart.head import ChartHead

WIDTH, DETAIL = 16, 16
NOTHING = -12.0


def empty_maps(rows: int, columns: int) -> FinderMaps:
    """Maps of an image of `rows` x `columns` tokens on which there is nothing."""
    size = 2 * rows, 2 * columns
    return FinderMaps(
        torch.full((1, KINDS, *size), NOTHING),
        torch.zeros(1, 2, *size),
        torch.ones(1, 4, *size),
    )


def mark(
    maps: FinderMaps,
    kind: int,
    row: int,
    column: int,
    logit: float = 4.0,
    offset: tuple[float, float] = (0.0, 0.0),
    sides: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0),
) -> None:
    """Put an object's middle into a cell; offset and sides in cells."""
    maps.centres[0, kind, row, column] = logit
    maps.offsets[0, :, row, column] = torch.tensor(offset)
    maps.sides[0, :, row, column] = torch.tensor(sides)


def small_head(seed: int = 0) -> ChartHead:
    """A head of the smallest useful sizes with random weights."""
    torch.manual_seed(seed)
    return ChartHead(WIDTH, DETAIL, 16).eval()
