"""Click schedules: which prompts an object gets in which order.

SAM trains with 11 iterations (Kirillov et al., 2023, appendix A): a first prompt, 8 correction clicks, and 2 steps
that get no new click but the previous mask alone, one of them at a random place and one at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Step = Literal["first", "correction", "mask"]


@dataclass(frozen=True)
class ClickSchedule:
    """`corrections` correction clicks after the first one, and `mask_only` steps without a new click.

    random_clicks: draw training clicks at random inside the wrong region, else at its interior centre.
    random_first: share of objects whose first click is drawn at random inside the object instead of its centre.
    box_first: share of training steps in which the first prompt is a box, loosely drawn, in place of a click.
    done_dice: an object whose mask reaches this Dice at logit resolution takes no part in the rest of a training
        step; 1 means a mask that needs no correction, None that all objects stay to the end.
    """

    corrections: int = 8
    mask_only: int = 2
    random_clicks: bool = True
    random_first: float = 0.0
    box_first: float = 0.0
    done_dice: float | None = 1.0

    def __post_init__(self) -> None:
        if self.corrections < 0 or self.mask_only < 0:
            raise ValueError("a click schedule cannot have fewer than no steps")

    @property
    def iterations(self) -> int:
        """Number of decodes: first + corrections + mask-only steps."""
        return 1 + self.corrections + self.mask_only

    def steps(self, rng: np.random.Generator) -> tuple[Step, ...]:
        """The order for one training step: the last step is mask-only, the other mask-only steps fall at random."""
        middle: list[Step] = ["correction"] * self.corrections
        for _ in range(self.mask_only - 1):
            middle.insert(int(rng.integers(len(middle) + 1)), "mask")
        last: tuple[Step, ...] = ("mask",) if self.mask_only else ()
        return ("first", *middle, *last)
