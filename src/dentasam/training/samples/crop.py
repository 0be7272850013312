"""A sample of a crop: a piece of the image's frame that keeps its own place in the frame.

A crop is a small image to the encoder, and costs as little. It keeps its place because a model that has only seen
crops at the frame's origin fails on whole images.
"""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from dentasam.model.core.frame import PATCH, Frame
from dentasam.training.samples.augmentation import Variation, vary_category, vary_image
from dentasam.training.samples.sample import Sample
from dentasam.training.samples.sources import MASK_STRIDE, Case
from dentasam.training.samples.visible_objects import choose, clickable, grid_coverage, half_visible, to_logits

# Places that are tried for a crop, and how many objects end the search.
MAX_CROP_TRIES = 64
_ENOUGH_OBJECTS = 3
_CELLS_PER_TOKEN = PATCH // MASK_STRIDE  # of the mask grid, along each axis


def crop_sample(
    case: Case,
    variation: Variation,
    size: int,
    objects: int,
    places: np.ndarray,
    rng: np.random.Generator,
    position: int = 0,
) -> Sample:
    """A crop of `size` frame pixels with up to `objects` objects, drawn by `rng`, at its own place in the frame.

    places: (n, 2) in 0..1, which of all places on the token grid to try. The first with a few objects at least half
    visible is taken, else the one with most.
    """
    frame = case.frame
    tokens = size // PATCH
    rows, cols = min(tokens, frame.rows), min(tokens, frame.cols)
    coverage = grid_coverage(case, variation)
    top, left, visible = _best_place(coverage, case, variation, rows, cols, places)
    fine_top, fine_left = top * _CELLS_PER_TOKEN, left * _CELLS_PER_TOKEN
    fine_rows, fine_cols = rows * _CELLS_PER_TOKEN, cols * _CELLS_PER_TOKEN
    in_crop = coverage[:, fine_top : fine_top + fine_rows, fine_left : fine_left + fine_cols]
    chosen = choose(visible & clickable(in_crop), objects, rng)
    full = frame.normalised(vary_image(case.image(), variation))
    y, x, height, width = top * PATCH, left * PATCH, rows * PATCH, cols * PATCH
    return Sample(
        full[..., y : y + height, x : x + width].contiguous(),
        None,
        Frame(height, width, 1.0, rows, cols, frame.top + top, frame.left + left),
        to_logits(in_crop[chosen]),
        tuple(vary_category(case.categories[index], variation) for index in chosen.tolist()),
        position,
    )


def _best_place(
    coverage: Tensor, case: Case, variation: Variation, rows: int, cols: int, places: np.ndarray
) -> tuple[int, int, Tensor]:
    """Top and left of a crop of rows x cols tokens, and which objects it shows at least half of, (P,) bool."""
    frame = case.frame
    span = np.array([frame.rows - rows + 1, frame.cols - cols + 1])
    corners = np.minimum((places * span).astype(int), span - 1)
    in_tokens = (
        F.avg_pool2d(coverage[:, None], _CELLS_PER_TOKEN)[:, 0] * _CELLS_PER_TOKEN**2
    )  # (P, rows, cols) of frame
    best: tuple[int, int, Tensor] | None = None
    for top, left in corners.tolist():
        inside = in_tokens[:, top : top + rows, left : left + cols].sum(dim=(1, 2))
        visible = half_visible(inside, case, variation)
        if best is None or visible.sum() > best[2].sum():
            best = top, left, visible
        if visible.sum() >= _ENOUGH_OBJECTS:
            break
    assert best is not None
    return best
