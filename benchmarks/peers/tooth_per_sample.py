"""Every tooth a sample of its own: how SAM-HQ was first fine-tuned on panoramics, by the published description.

The original work (its model card; code and data are not released) takes each tooth as a training sample. So each
tooth costs an encoding of the image padded to the 1024 square, forwards and backwards, and each of its 11 iterations
is a whole decode that makes the HQ features again, with the loss at 1024 x 1024 and the clicks found there. The card
does not say where the backward is taken; here there is one per tooth, over all its iterations.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from dentasam.model.core.frame import Frame
from dentasam.model.sam_hq import SamHQ
from dentasam.prompts.click_schedule import ClickSchedule
from dentasam.training.step.loss import MaskLoss

from .joint_graph import clicked_loss
from .published_decoder import decode


def tooth_per_sample_step(
    model: SamHQ,
    pixels: Tensor,
    frame: Frame,
    coverage: Tensor,
    schedule: ClickSchedule,
    objective: MaskLoss,
    rng: np.random.Generator,
) -> float:
    """Add the gradient of the mean loss over the teeth and their iterations to `grad`; returns the loss.

    pixels: (1, 3, 1024, 1024). coverage: (P, h, w), one tooth each, at the loss's resolution.
    """
    total = 0.0
    for tooth in coverage.split(1):
        output = model.encoder_output(pixels, frame)
        loss = clicked_loss(
            lambda prompts, output=output: decode(model, output, frame, prompts),  # type: ignore[misc]
            frame,
            tooth,
            schedule,
            objective,
            rng,
        ) / len(coverage)
        loss.backward()
        total += float(loss.detach())
    return total
