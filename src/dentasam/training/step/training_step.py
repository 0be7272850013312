"""One training step: encode once for all objects and all clicks, go back once through the encoder.

    embedding = encode(images)
    leaf = embedding.detach()
    for each click:  decode(leaf), loss.backward()      frees the click's graph; gradients add up in the leaf
    embedding.backward(leaf.grad)                       the exact gradient of the summed loss

The joint graph of 11 clicks gives the same gradient but keeps every click's activations until the end.

The loss is the mean over all objects and all iterations. Objects that do not fit into memory together are clicked
through one chunk after the other, into the same leaf: the same gradient again. An object that is done (see
`ClickSchedule.done_dice`) leaves the batch: its last loss and Dice count for the iterations that are left, as
constants, so that no gradient comes from them, and the others weigh what they weighed with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dentasam.model.core.frame import Frame
from dentasam.model.core.precision import arithmetic
from dentasam.model.core.prompt import LOGIT_LIMIT, Prompts
from dentasam.model.embedding import EncoderOutput, EncoderPrefix, ImageEmbedding
from dentasam.model.sam_hq import MaskPrediction, SamHQ
from dentasam.prompts.click_schedule import ClickSchedule, Step
from dentasam.prompts.correction_clicks import Clicks
from dentasam.prompts.tensor_correction_clicks import TensorClicks, correction_clicks, on_device
from dentasam.training.step.finished_objects import Done
from dentasam.training.step.first_prompts import in_frame
from dentasam.training.step.loss import Objective, at_least_single, hard_dice
from dentasam.training.step.object_crops import masks_without_graph
from dentasam.training.step.object_memory import trained_object_bytes
from dentasam.training.step.step_objects import StepObjects


@dataclass(frozen=True)
class StepReport:
    """What a step did: mean loss over objects and iterations, mean Dice after each iteration, objects."""

    loss: float
    dice_at_clicks: list[float]
    objects: int


def train_step(
    model: SamHQ,
    source: Tensor | EncoderPrefix | EncoderOutput,
    frame: Frame,
    masks: Sequence[Tensor],
    schedule: ClickSchedule,
    objective: Objective,
    rng: np.random.Generator,
    autocast: torch.dtype | None = None,
    windows: bool = False,
    budget: int | None = None,
) -> StepReport:
    """Add the gradient of the mean loss over objects and iterations to the parameters' `grad`.

    source: pixels (B, 3, 16 rows, 16 cols), or what the encoder gives for them as far as it is frozen.
    frame: the frame all B images share.
    masks: for each image the coverage 0..1 of its objects at logit resolution, (P_b, 4 rows, 4 cols).
    autocast: the type of reduced-precision arithmetic, or None.
    windows: take the objective on crops around and away from each object (see `object_crops.py`) where that is less
        work; without it the gradient is exact.
    budget: memory in bytes for the objects that are clicked together; None for all at once.
    """
    coverage = torch.cat(list(masks))
    count = len(coverage)
    steps = schedule.steps(rng)
    if count == 0:
        return StepReport(0.0, [1.0] * len(steps), 0)
    image = None
    if len(masks) > 1:
        owners = [index for index, part in enumerate(masks) for _ in range(len(part))]
        image = torch.tensor(owners, device=coverage.device)
    # one context for all clicks, so that each weight is cast once
    with arithmetic(autocast, coverage.device):
        if isinstance(source, Tensor):
            source = model.encoder_output(source, frame)
        elif isinstance(source, EncoderPrefix):
            source = model.encoder_rest(source)
        embedding = model.prepare(source, frame)
        leaf = embedding.leaf()
        objects = StepObjects.begin(coverage, image, frame, schedule, len(steps), windows, rng)
        dtype, share = embedding.hq.dtype, 1.0 / (count * len(steps))
        most = count
        if budget is not None:
            most = max(1, budget // trained_object_bytes(frame, objects.crops, 1 + schedule.corrections, dtype))
        sums = torch.stack(
            [
                _click_through(model, leaf, dtype, part, steps, schedule, objective, share)
                for part in objects.chunks(most)
            ]
        ).sum(dim=0)

    pairs = [
        (tensor, collected.grad)
        for tensor, collected in ((embedding.features, leaf.features), (embedding.hq, leaf.hq))
        if tensor.requires_grad and collected.grad is not None
    ]
    if pairs:
        torch.autograd.backward([tensor for tensor, _ in pairs], [grad.to(tensor.dtype) for tensor, grad in pairs])
    losses, dice = (sums / count).tolist()
    return StepReport(sum(losses) / len(steps), dice, count)


def _click_through(
    model: SamHQ,
    leaf: ImageEmbedding,
    dtype: torch.dtype,
    objects: StepObjects,
    steps: Sequence[Step],
    schedule: ClickSchedule,
    objective: Objective,
    share: float,
) -> Tensor:
    """All iterations, each with its own backward of `share` times the loss; summed loss and Dice of each, (2, K)."""
    results: list[Tensor] = []
    done = Done(schedule.done_dice, leave=not on_device(leaf.features.device))
    logits: Tensor | None = None
    for index, step in enumerate(steps):
        if logits is not None:
            if step == "mask":
                prompts = objects.prompts.with_masks(logits)
            else:
                draws = None if objects.clicks is None else objects.clicks[index]
                prompts = corrected(
                    objects.prompts, correction_clicks(logits > 0, objects.truth, draws), logits, leaf.frame
                )
            objects = objects.with_prompts(prompts)
        # the decoder works in the encoder's precision, the leaf adds up in its own
        embedding = replace(leaf, features=leaf.features.to(dtype), hq=leaf.hq.to(dtype))
        state = model.attend(embedding, objects.prompts)
        if objects.crops is None:
            masks = model.mask_decoder.masks(state, embedding.hq)
            each = objective(MaskPrediction(masks, state.score), objects.coverage)
        else:
            masks = masks_without_graph(model, embedding, state, objects.prompts.logits)
            each = objects.crops.losses(
                model, embedding, state, at_least_single(masks), objective, objects.elsewhere[index]
            )
        logits = at_least_single(masks.detach()).clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
        (done.counted(each).sum() * share).backward()
        left, result = done.after(each.detach(), hard_dice(logits, objects.coverage))
        results.append(result)
        if index + 1 == len(steps):
            break
        if len(left) == 0:
            results += results[-1:] * (len(steps) - len(results))
            break
        if len(left) < len(objects):
            objects, logits = objects.at(left), logits[left]
    return torch.stack(results, dim=1)


def corrected(prompts: Prompts, clicks: Clicks | TensorClicks, logits: Tensor, frame: Frame) -> Prompts:
    """The prompts with each object's next click, given in logit pixels, and the mask logits it corrects.

    An object that needs no click has its last one repeated, so that all objects keep the same number; where a box
    came first, that is the interior centre.
    """
    found, points, labels = (
        torch.as_tensor(part, device=logits.device) for part in (clicks.found, clicks.points, clicks.labels)
    )
    return prompts.with_clicks(
        torch.where(found[:, None], in_frame(points, frame), prompts.points[:, -1]),
        torch.where(found, labels, torch.where(prompts.labels[:, -1] < 0, 1, prompts.labels[:, -1])),
        logits,
    )
