"""Depth and connected regions of many masks at once as tensor operations, for a GPU, where OpenCV does not work.

Both are exact and use whole numbers only, so that every device finds the same ties. On a CPU, OpenCV is faster.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Rounds of `largest_region` between two checks for changes; each check is a device synchronisation.
_ROUNDS_PER_CHECK = 4


def squared_depth(masks: Tensor) -> Tensor:
    """Squared Euclidean distance of each pixel to the nearest one outside its mask, (P, h, w) bool to int32.

    The image's border counts as outside. The transform is separable (Saito and Toriwaki, 1994): along the shorter
    axis a running maximum finds the nearest pixel outside; along the other axis the nearest of all is a minimum over
    offsets, of which none need be longer than the distances found first.
    """
    height, width = masks.shape[1:]
    if height > width:
        return squared_depth(masks.mT).mT
    row = torch.arange(1, height + 1, dtype=torch.int32, device=masks.device)[:, None]

    def above(inside: Tensor) -> Tensor:
        return row - (row * ~inside).cummax(dim=1).values

    first = torch.minimum(above(masks), above(masks.flip(1)).flip(1))
    squared = F.pad(first**2, (1, 1))  # (P, h, w + 2), one column outside on either side
    nearest = squared.clone()
    for offset in range(1, min((height + 1) // 2, width + 2)):
        farther = squared + offset**2
        nearest[..., offset:] = torch.minimum(nearest[..., offset:], farther[..., :-offset])
        nearest[..., :-offset] = torch.minimum(nearest[..., :-offset], farther[..., offset:])
    return nearest[..., 1:-1]


def largest_region(masks: Tensor) -> tuple[Tensor, Tensor]:
    """Area (P,) and mask (P, h, w) of each mask's largest 4-connected region, the first of equal ones.

    Every pixel takes the lowest index in its run along the row, then in its run along the column, then the index that
    the pixel of that index has taken, until nothing changes. The number of rounds depends on how often a region
    turns, not on its length.
    """
    height, width = masks.shape[1:]
    inside = masks.flatten(1)
    rows = _runs(masks)
    columns = _runs(masks.mT).unflatten(1, (width, height)).mT.flatten(1)
    index = torch.arange(height * width, device=masks.device).expand_as(inside)
    settled = False
    while not settled:
        before = index
        for _ in range(_ROUNDS_PER_CHECK):
            index = _least(_least(index, rows), columns)
            index = index.gather(1, index)
        settled = torch.equal(index, before)
    areas = torch.zeros_like(index).scatter_add_(1, index, inside.long())
    best = areas.argmax(dim=1, keepdim=True)  # the first of equal ones; `max` does not promise that
    return areas.gather(1, best)[:, 0], ((index == best) & inside).view_as(masks)


def _runs(masks: Tensor) -> Tensor:
    """For each pixel the number of its run along the row; a pixel outside the mask is a run by itself."""
    begins = torch.ones_like(masks)
    begins[..., 1:] = ~(masks[..., 1:] & masks[..., :-1])
    return begins.flatten(1).cumsum(dim=1) - 1


def _least(index: Tensor, runs: Tensor) -> Tensor:
    """The lowest index in each pixel's run."""
    return index.scatter_reduce(1, runs, index, "amin", include_self=False).gather(1, runs)
