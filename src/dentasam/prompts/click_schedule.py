"""The click schedule of training (eleven iterations by default): which prompts an object gets, in which order.

SAM trains with 11 iterations (Kirillov et al., 2023, appendix A): a first prompt, 8 correction clicks, and 2
iterations without a new click, which get the previous mask alone, one of them at a random place and one at the end.

Where a correction click goes is in `tensor_correction_clicks.py`; `training/step/click_through.py` follows the
schedule. Evaluation has no schedule: there each mask gets one new click.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Step = Literal["first", "correction", "mask"]


@dataclass(frozen=True)
class ClickSchedule:
    """`corrections` correction clicks after the first click, and `mask_only` iterations without a new click.

    random_share: share of the corrections that go to a random wrong pixel, drawn for each object and iteration. The
        others go to the interior centre of the largest wrong region, as in evaluation and as people click.
    random_first: share of objects whose first click is at a random place inside the object instead of its centre.
    box_first: share of training steps in which the first prompt is an inexact box instead of a click.
    multimask_share: share of training steps whose first click gets SAM's three masks for an ambiguous prompt, of
        which the best for each object is trained and fed back; not where a box comes first.
    done_dice: an object whose mask reaches this Dice at logit resolution is finished, and takes no part in the rest
        of a training step; 1 means a mask that needs no correction, None that no object finishes early.
    """

    corrections: int = 8
    mask_only: int = 2
    random_share: float = 1.0
    random_first: float = 0.0
    box_first: float = 0.0
    done_dice: float | None = 1.0
    multimask_share: float = 0.0

    def __post_init__(self) -> None:
        if self.corrections < 0 or self.mask_only < 0:
            raise ValueError("corrections and mask_only of a click schedule cannot be negative")

    @property
    def iterations(self) -> int:
        """How often the masks are decoded: for the first click, each correction, and each mask-only iteration."""
        return 1 + self.corrections + self.mask_only

    def steps(self, rng: np.random.Generator) -> tuple[Step, ...]:
        """The order in one training step: one mask-only iteration is the last, the others are at random places."""
        middle: list[Step] = ["correction"] * self.corrections
        for _ in range(self.mask_only - 1):
            middle.insert(int(rng.integers(len(middle) + 1)), "mask")
        last: tuple[Step, ...] = ("mask",) if self.mask_only else ()
        return ("first", *middle, *last)
