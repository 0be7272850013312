"""What the finder should see in a view, and how far it is from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dentasam.model.chart.finder import CELL, KINDS, FinderMaps
from dentasam.training.chart.views import ChartTargets

# A hill around each centre: its standard deviation as a share of the box's width and height, and its bounds in cells.
_ACROSS, _DOWN = (0.16, 0.55, 1.6), (0.10, 0.7, 2.0)
_REACH = 5
# The four cells beside a centre teach too, so that a peak that is off by one still has a good box.
_BESIDE = ((0, 0, 1.0), (0, 1, 0.35), (1, 0, 0.35), (0, -1, 0.35), (-1, 0, 0.35))
# Weights of the parts of the loss.
_OFFSET, _BOX, _SIDES = 0.3, 1.0, 0.2


@dataclass(frozen=True)
class FinderTargets:
    """heat: (B, 2, 2h, 2w), 1 at centres, falling off around them. counts: (B, 2, 2h, 2w), 0 where the map is not
    judged. rows: (N, 10) batch, y, x of a cell, its offset x, y, sides left, top, right, bottom in cells, weight."""

    heat: Tensor
    counts: Tensor
    rows: Tensor


def finder_targets(
    views: Sequence[ChartTargets], grids: Sequence[tuple[int, int]], size: tuple[int, int], implants: Sequence[bool]
) -> FinderTargets:
    """The targets of B views on maps of a common size (2h, 2w).

    grids: rows and columns of each view's own maps; what lies beyond is not judged. implants: whether a view's
    implants are annotated; where they are not, the map of implants is not judged.
    """
    heat = torch.zeros(len(views), KINDS, *size)
    counts = torch.zeros(len(views), KINDS, *size)
    rows: list[tuple[float, ...]] = []
    for batch, (view, (height, width), has_implants) in enumerate(zip(views, grids, implants, strict=True)):
        counts[batch, : KINDS if has_implants else 1, :height, :width] = 1
        for place, kind in zip(view.places / CELL, view.kinds, strict=True):
            x0, y0, x1, y1, x, y = map(float, place)
            column, row = int(x), int(y)
            if not (0 <= column < width and 0 <= row < height):
                continue
            _raise_hill(heat[batch, int(kind)], x, y, x1 - x0, y1 - y0)
            for down, across, weight in _BESIDE:
                at_x, at_y = column + across, row + down
                if 0 <= at_x < width and 0 <= at_y < height:
                    sides = (max(side, 0.05) for side in (x - x0, y - y0, x1 - x, y1 - y))
                    offset = (x - at_x - 0.5, y - at_y - 0.5)
                    rows.append((batch, at_y, at_x, *offset, *sides, weight))
    return FinderTargets(heat, counts, torch.tensor(rows, dtype=torch.float32).reshape(-1, 10))


def finder_loss(maps: FinderMaps, targets: FinderTargets) -> tuple[Tensor, dict[str, float]]:
    """The loss over a batch, and its parts: centres (focal, as CenterNet), offsets, boxes (IoU)."""
    probability = maps.centres.sigmoid().clamp(1e-5, 1 - 1e-5)
    peaks = (targets.heat >= 1).to(probability.dtype) * targets.counts
    at_peaks = (probability.log() * (1 - probability) ** 2 * peaks).sum()
    elsewhere = (1 - peaks) * targets.counts * (1 - targets.heat) ** 4
    beside = ((1 - probability).log() * probability**2 * elsewhere).sum()
    centres = -(at_peaks + beside) / peaks.sum().clamp(min=1)
    parts = {"centres": centres}
    if len(targets.rows):
        batch, y, x = (targets.rows[:, column].long() for column in range(3))
        weight = targets.rows[:, 9]
        offsets = (maps.offsets[batch, :, y, x] - targets.rows[:, 3:5]).abs().sum(1)
        own, true = maps.sides[batch, :, y, x], targets.rows[:, 5:9]
        both = (torch.minimum(own[:, 0], true[:, 0]) + torch.minimum(own[:, 2], true[:, 2])) * (
            torch.minimum(own[:, 1], true[:, 1]) + torch.minimum(own[:, 3], true[:, 3])
        )
        either = (own[:, 0] + own[:, 2]) * (own[:, 1] + own[:, 3]) - both
        either = either + (true[:, 0] + true[:, 2]) * (true[:, 1] + true[:, 3])
        ratios = (own.log() - true.log()).abs().sum(1)
        mean = weight.sum()
        parts["offsets"] = _OFFSET * (offsets * weight).sum() / mean
        parts["boxes"] = ((_BOX * (1 - both / either) + _SIDES * ratios) * weight).sum() / mean
    total = torch.stack(list(parts.values())).sum()
    return total, {name: float(part.detach()) for name, part in parts.items()}


def _raise_hill(heat: Tensor, x: float, y: float, width: float, height: float) -> None:
    """Raise a map (2h, 2w) to a hill of height 1 around x, y, for a box of that size in cells."""
    across, down = (
        float(np.clip(side * share, low, high)) for side, (share, low, high) in ((width, _ACROSS), (height, _DOWN))
    )
    column, row = int(x), int(y)
    left, top = max(0, column - _REACH), max(0, row - _REACH)
    part = heat[top : row + _REACH + 1, left : column + _REACH + 1]
    rows = torch.arange(top, top + part.shape[0])[:, None] + 0.5
    columns = torch.arange(left, left + part.shape[1])[None] + 0.5
    hill = torch.exp(-((rows - y) ** 2) / (2 * down**2) - (columns - x) ** 2 / (2 * across**2))
    torch.maximum(part, hill, out=part)
    heat[row, column] = 1.0
