"""Which objects of a varied image can be trained on, and their masks at logit resolution."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dentasam.model.core.frame import LOGIT_STRIDE, PATCH
from dentasam.training.samples.augmentation import Variation, vary_masks
from dentasam.training.samples.sources import MASK_STRIDE, Case


def grid_coverage(case: Case, variation: Variation) -> Tensor:
    """Varied coverage of all objects on the padded mask grid, (P, 8 rows, 8 cols)."""
    varied = vary_masks(case.coverage(), variation, case.frame.size)
    per_token = PATCH // MASK_STRIDE
    rows, cols = case.frame.rows * per_token, case.frame.cols * per_token
    return F.pad(varied, (0, cols - varied.shape[-1], 0, rows - varied.shape[-2]))


def half_visible(area: Tensor, case: Case, variation: Variation) -> Tensor:
    """Which objects show at least half of themselves, (P,) bool, from their visible area on the mask grid, (P,)."""
    whole = torch.tensor([float(item.coverage.sum(dtype=np.int64)) / 255.0 for item in case.coverages])
    return area >= 0.5 * whole * variation.scale**2


def clickable(coverage: Tensor) -> Tensor:
    """Which objects cover more than half of some logit pixel, (P,) bool."""
    if len(coverage) == 0:
        return torch.zeros(0, dtype=torch.bool)
    return to_logits(coverage).flatten(1).amax(dim=1) > 0.5


def choose(candidates: Tensor, objects: int | None, rng: np.random.Generator | None) -> Tensor:
    """Indices of up to `objects` of the candidates (P,) bool, drawn by `rng`, in ascending order."""
    indices = candidates.nonzero()[:, 0]
    if objects is None or rng is None or len(indices) <= objects:
        return indices
    return indices[torch.from_numpy(np.sort(rng.choice(len(indices), objects, replace=False)))]


def filled_up(chosen: Tensor, objects: int) -> Tensor:
    """The chosen indices, repeated in their order up to `objects` of them; none stay none.

    For object windows, which each lie elsewhere: a step's number of windows is then always the same, because a GPU
    takes seconds for a number that it has not seen.
    """
    return chosen[torch.arange(objects) % len(chosen)] if len(chosen) else chosen


def to_logits(coverage: Tensor) -> Tensor:
    """Coverage on the mask grid, (P, 8 rows, 8 cols), at logit resolution, (P, 4 rows, 4 cols)."""
    if len(coverage) == 0:
        height, width = coverage.shape[-2:]
        half = LOGIT_STRIDE // MASK_STRIDE
        return coverage.new_zeros((0, height // half, width // half))
    return F.avg_pool2d(coverage[:, None], LOGIT_STRIDE // MASK_STRIDE)[:, 0]
