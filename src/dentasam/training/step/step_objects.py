"""The objects of a training step while they are clicked: what is true of them, what they are told, what is drawn.

All that is random is drawn for all objects before the first click. So which objects are in the decoder together, be
it a chunk that fits into memory or those that are not done yet, changes no other object's clicks or crops.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dentasam.model.core.frame import Frame
from dentasam.model.core.prompt import Prompts
from dentasam.prompts.click_schedule import ClickSchedule
from dentasam.prompts.tensor_correction_clicks import on_device
from dentasam.training.step.first_prompts import first_prompts
from dentasam.training.step.object_crops import ObjectCrops

# Objects' two crops as a share of the grid; above it the exact objective costs no more.
_WORTH = 0.7


@dataclass(frozen=True)
class StepObjects:
    """P objects and what is drawn for each of K iterations.

    coverage: (P, h, w). truth: (P, h, w) bool. crops: where the objective is taken, None for the whole masks.
    clicks: (K, P), which of the wrong pixels is clicked, or None for their centre. elsewhere: (K, 2, P), where the
    objective's second crop lies; both in 0..1.
    """

    prompts: Prompts
    coverage: Tensor
    truth: Tensor
    crops: ObjectCrops | None
    clicks: Tensor | None
    elsewhere: Tensor

    @classmethod
    def begin(
        cls,
        coverage: Tensor,
        image: Tensor | None,
        frame: Frame,
        schedule: ClickSchedule,
        iterations: int,
        windows: bool,
        rng: np.random.Generator,
    ) -> StepObjects:
        """Objects with their first prompts; `windows` where the objective may be taken on crops."""
        prompts = first_prompts(coverage, image, frame, schedule, rng)
        draws = torch.from_numpy(rng.random((iterations, 3, len(coverage))))
        if on_device(coverage.device):
            draws = draws.to(coverage.device)
        clicks = draws[:, 0] if schedule.random_clicks else None
        placed = ObjectCrops.around(coverage, frame) if windows else None
        return cls(
            prompts,
            coverage,
            coverage > 0.5,
            None if placed is None or placed.share > _WORTH else placed,
            clicks,
            draws[:, 1:],
        )

    def __len__(self) -> int:
        return len(self.coverage)

    def at(self, rows: Sequence[int]) -> StepObjects:
        """Some of the objects."""
        if list(rows) == list(range(len(self))):
            return self
        index = torch.tensor(list(rows))
        there = index.to(self.coverage.device)
        return StepObjects(
            self.prompts[there],
            self.coverage[there],
            self.truth[there],
            None if self.crops is None else self.crops.at(rows),
            None if self.clicks is None else self.clicks[:, index.to(self.clicks.device)],
            self.elsewhere[..., index.to(self.elsewhere.device)],
        )

    def chunks(self, most: int) -> Iterator[StepObjects]:
        """The objects in their order, at most so many at a time, in chunks as even as can be."""
        count = -(-len(self) // most)
        for rows in np.array_split(np.arange(len(self)), count):
            yield self.at(rows.tolist())

    def with_prompts(self, prompts: Prompts) -> StepObjects:
        """The same objects with other prompts."""
        return replace(self, prompts=prompts)
