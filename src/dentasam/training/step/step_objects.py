"""The objects of a training step while they are clicked: their truth, their prompts, and their random draws.

Everything random is drawn for all objects before the first click. So the clicks and windows of an object do not
depend on which objects are in the decoder with it, be it a chunk that fits into memory or those that are not finished
yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dentasam.model.core.frame import Frame
from dentasam.model.core.prompt import Prompts
from dentasam.prompts.tensor_correction_clicks import on_device
from dentasam.training.step.first_prompts import first_prompts
from dentasam.training.step.given_prompts import GivenPrompts
from dentasam.training.step.step_settings import StepSettings
from dentasam.training.step.windowed_loss import LossWindows

# An object's two windows as a share of the grid; above it the exact loss costs no more than the windowed one.
MAX_WINDOW_SHARE = 0.7


@dataclass(frozen=True)
class StepObjects:
    """P objects, and what is drawn for each of K iterations.

    coverage: (P, h, w). truth: (P, h, w) bool.
    windows: where the gradient of the loss is taken; None for the whole masks.
    clicks: (K, P) in 0..1, which of the wrong pixels is clicked.
    centred: (K, P) bool, where the interior centre of the largest wrong region is clicked instead.
    elsewhere: (K, 2, P) in 0..1, where the loss's second window is, see `LossWindows.elsewhere`.
    multimask: whether the first iteration decodes SAM's three masks, see `mask_losses.py`.
    fine_truth: (P, n h, n w) bool, a finer truth to click on; None where clicks are on logits.
    parts: (P,) bool, which objects are parts of others; None where that is not known.
    """

    prompts: Prompts
    coverage: Tensor
    truth: Tensor
    windows: LossWindows | None
    clicks: Tensor
    centred: np.ndarray
    elsewhere: Tensor
    multimask: bool = False
    fine_truth: Tensor | None = None
    parts: Tensor | None = None

    @classmethod
    def begin(
        cls,
        coverage: Tensor,
        image: Tensor | None,
        frame: Frame,
        settings: StepSettings,
        iterations: int,
        rng: np.random.Generator,
        given: GivenPrompts | None = None,
        parts: Tensor | None = None,
    ) -> StepObjects:
        """Objects with their first prompts, which are drawn unless they are given.

        image: (P,), which image each object belongs to; None for a single image. parts: as the field.
        """
        prompts = first_prompts(coverage, image, frame, settings.schedule, rng) if given is None else given.prompts
        fine_truth = None if given is None else given.truth
        draws = torch.from_numpy(rng.random((iterations, 3, len(coverage))))
        centred = rng.random((iterations, len(coverage))) >= settings.schedule.random_share
        if on_device(coverage.device):
            draws = draws.to(coverage.device)
        # A box says what is meant; a click may be ambiguous.
        share = 0.0 if prompts.boxes is not None else settings.schedule.multimask_share
        multimask = share > 0 and bool(rng.random() < share)
        if multimask:
            prompts = prompts.with_masks(None)  # in use the three masks are decoded from clicks alone
        windows = LossWindows.around(coverage, frame) if settings.windowed_loss else None
        if windows is not None and windows.share > MAX_WINDOW_SHARE:
            windows = None
        truth, rest = coverage > 0.5, draws[:, 1:]
        return cls(prompts, coverage, truth, windows, draws[:, 0], centred, rest, multimask, fine_truth, parts)

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
            None if self.windows is None else self.windows.at(rows),
            self.clicks[:, index.to(self.clicks.device)],
            self.centred[:, list(rows)],
            self.elsewhere[..., index.to(self.elsewhere.device)],
            self.multimask,
            None if self.fine_truth is None else self.fine_truth[there],
            None if self.parts is None else self.parts[there],
        )

    def chunks(self, most: int) -> Iterator[StepObjects]:
        """The objects in their order, in chunks of at most `most` objects whose sizes differ by one at most."""
        count = -(-len(self) // most)
        for rows in np.array_split(np.arange(len(self)), count):
            yield self.at(rows.tolist())

    def with_prompts(self, prompts: Prompts) -> StepObjects:
        """The same objects with other prompts."""
        return replace(self, prompts=prompts)
