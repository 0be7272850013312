"""How a training step clicks its objects, and what it takes for an error."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from dentasam.prompts.click_schedule import ClickSchedule
from dentasam.training.step.click_terms import ClickTerms
from dentasam.training.step.loss import MaskLoss


@dataclass(frozen=True)
class StepSettings:
    """What is the same for all images of a step.

    schedule: which prompts an object gets, in which order.
    loss: the loss of each iteration.
    windowed_loss: take the gradient of the loss on windows around and away from each object (`windowed_loss.py`)
        where that is less work. Without it the gradient is exact.
    autocast: the type of reduced-precision arithmetic, or None for full precision.
    decode_bytes: memory for the objects that are clicked together; None for all objects at once.
    click_terms: the terms of the loss that ask the mask to follow the clicks.
    """

    schedule: ClickSchedule = field(default_factory=ClickSchedule)
    loss: MaskLoss = field(default_factory=MaskLoss)
    windowed_loss: bool = False
    autocast: torch.dtype | None = None
    decode_bytes: int | None = None
    click_terms: ClickTerms = field(default_factory=ClickTerms)
