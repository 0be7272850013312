"""From the finder's maps to single teeth and implants, each with the click and the box that prompt its mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dentasam.model.chart.finder import CELL, FinderMaps

# Of two peaks whose boxes overlap by more than this (IoU) the higher one stays.
MAX_OVERLAP = 0.6


@dataclass(frozen=True)
class Detections:
    """P objects of one kind, the surest first, in frame pixels from the frame's first token.

    clicks: (P, 2) x, y of their middles. boxes: (P, 4) x0, y0, x1, y1. centres: (P,) probability of a middle there.
    """

    clicks: Tensor
    boxes: Tensor
    centres: Tensor

    def __len__(self) -> int:
        return len(self.clicks)


def detections(maps: FinderMaps, kind: int, min_centre: float) -> Detections:
    """The objects of one kind (`TOOTH` or `IMPLANT_KIND`) in the maps of one image.

    min_centre: a peak of less probability is not looked at.
    """
    probability = maps.centres[0, kind].float().sigmoid()  # (2h, 2w)
    highest = F.max_pool2d(probability[None, None], 3, stride=1, padding=1)[0, 0]
    rows, columns = torch.where((probability == highest) & (probability >= min_centre))
    order = probability[rows, columns].argsort(descending=True, stable=True)
    rows, columns = rows[order], columns[order]
    cells = torch.stack([columns, rows], dim=1).float() + 0.5
    clicks = (cells + maps.offsets[0, :, rows, columns].T.float()) * CELL
    sides = maps.sides[0, :, rows, columns].T.float() * CELL
    boxes = torch.cat([clicks - sides[:, :2], clicks + sides[:, 2:]], dim=1)
    kept = torch.from_numpy(not_covered(boxes.cpu().numpy())).to(boxes.device)
    return Detections(clicks[kept], boxes[kept], probability[rows, columns][kept])


def not_covered(boxes: np.ndarray, max_overlap: float = MAX_OVERLAP) -> np.ndarray:
    """Indices of the boxes (P, 4), in their order, that overlap none before them by more than `max_overlap`."""
    overlaps = box_overlaps(boxes, boxes)
    kept: list[int] = []
    for index in range(len(boxes)):
        if all(overlaps[index, other] <= max_overlap for other in kept):
            kept.append(index)
    return np.array(kept, np.int64)


def box_overlaps(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (P, 4) and (Q, 4): (P, Q)."""
    low = np.maximum(some[:, None, :2], others[None, :, :2])
    high = np.minimum(some[:, None, 2:], others[None, :, 2:])
    both = np.prod(np.clip(high - low, 0, None), axis=-1)
    areas = [np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=-1) for boxes in (some, others)]
    return both / np.maximum(areas[0][:, None] + areas[1][None] - both, 1e-9)
