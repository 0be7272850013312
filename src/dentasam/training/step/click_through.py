"""Click the objects of a training step through their schedule, with one backward pass for each iteration.

Each iteration decodes the masks, takes the loss and goes back into the image embeddings at once, which frees its
graph. The next click then corrects the mask: this is the correction click of training, whose place
`prompts/tensor_correction_clicks.py` chooses.

An object that is finished (see `ClickSchedule.done_dice`) leaves the batch. Its last loss and Dice count for the
remaining iterations, as constants without a gradient, so that the weight of the other objects does not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from dentasam.model.core.frame import Frame
from dentasam.model.core.prompt import LOGIT_LIMIT, Prompts
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.sam_hq import SamHQ
from dentasam.prompts.click_schedule import Step
from dentasam.prompts.correction_clicks import Clicks
from dentasam.prompts.tensor_correction_clicks import TensorClicks, correction_clicks, on_device
from dentasam.training.step.finished_objects import FinishedObjects
from dentasam.training.step.first_prompts import in_frame
from dentasam.training.step.loss import at_least_single, hard_dice
from dentasam.training.step.mask_losses import masks_and_losses
from dentasam.training.step.step_objects import StepObjects
from dentasam.training.step.step_settings import StepSettings


def click_through(
    model: SamHQ,
    leaf: ImageEmbedding,
    dtype: torch.dtype,
    objects: StepObjects,
    steps: Sequence[Step],
    settings: StepSettings,
    share: float,
) -> Tensor:
    """All K iterations of some objects; returns the loss and the Dice of each, summed over the objects, (2, K).

    leaf: the image embeddings without their graph; the gradients of all iterations add up in it.
    dtype: the type of the decoder's arithmetic.
    share: what an object's loss of one iteration counts for in the step's loss.
    """
    results: list[Tensor] = []
    finished = FinishedObjects(settings.schedule.done_dice, leave=not on_device(leaf.features.device))
    logits: Tensor | None = None
    for index, step in enumerate(steps):
        if logits is not None:
            objects = objects.with_prompts(_next_prompts(objects, index, step, logits, leaf.frame))
        # The decoder works in the encoder's precision; the leaf adds gradients up in its own.
        embedding = replace(leaf, features=leaf.features.to(dtype), hq=leaf.hq.to(dtype))
        masks, losses = masks_and_losses(model, embedding, objects, index, settings)
        logits = at_least_single(masks).clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
        (finished.counted(losses).sum() * share).backward()
        remaining, result = finished.after(losses.detach(), hard_dice(logits, objects.coverage))
        results.append(result)
        if index + 1 == len(steps):
            break
        if len(remaining) == 0:
            results += results[-1:] * (len(steps) - len(results))
            break
        if len(remaining) < len(objects):
            objects, logits = objects.at(remaining), logits[remaining]
    return torch.stack(results, dim=1)


def corrected(prompts: Prompts, clicks: Clicks | TensorClicks, logits: Tensor, frame: Frame) -> Prompts:
    """The prompts with each object's next click, given in logit pixels, and the mask logits it corrects.

    An object that needs no click has its last one repeated, so that all objects keep the same number. Where a box
    came first, the repeated click is the interior centre.
    """
    found, points, labels = (
        torch.as_tensor(part, device=logits.device) for part in (clicks.found, clicks.points, clicks.labels)
    )
    return prompts.with_clicks(
        torch.where(found[:, None], in_frame(points, frame), prompts.points[:, -1]),
        torch.where(found, labels, torch.where(prompts.labels[:, -1] < 0, 1, prompts.labels[:, -1])),
        logits,
    )


def _next_prompts(objects: StepObjects, index: int, step: Step, logits: Tensor, frame: Frame) -> Prompts:
    """The prompts of an iteration after the first: the last mask's logits and, in a correction, one more click."""
    if step == "mask":
        return objects.prompts.with_masks(logits)
    draws, centred, fine = objects.clicks[index], objects.centred[index], objects.fine_truth
    if fine is None:
        clicks = correction_clicks(logits > 0, objects.truth, draws, centred)
        return corrected(objects.prompts, clicks, logits, frame)
    predicted = F.interpolate(logits[:, None], size=fine.shape[1:], mode="bilinear", align_corners=False)[:, 0] > 0
    clicks = correction_clicks(predicted, fine, draws, centred)
    fineness = fine.shape[1] // logits.shape[1]
    on_logits = replace(clicks, points=(clicks.points + 0.5) / fineness - 0.5)
    return corrected(objects.prompts, on_logits, logits, frame)
