"""One training step: encode once for all objects and all clicks, go back once through the encoder.

    embedding = encode(images)
    leaf = embedding.detach()
    for each click:  decode(leaf), loss.backward()      frees the click's graph; gradients add up in the leaf
    embedding.backward(leaf.grad)                       the exact gradient of the summed loss

The joint graph of 11 clicks gives the same gradient but keeps every click's activations until the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from dentasam.model.embedding import EncoderOutput, ImageEmbedding
from dentasam.model.frame import LOGIT_STRIDE, Frame
from dentasam.model.prompt import LOGIT_LIMIT, Prompts
from dentasam.model.sam_hq import MaskPrediction, SamHQ
from dentasam.prompts.clicks import Clicks, correction_clicks, interior_centre
from dentasam.prompts.schedule import ClickSchedule, Step
from dentasam.training.objective import Objective, at_least_single, hard_dice
from dentasam.training.windows import ObjectWindows


@dataclass(frozen=True)
class StepReport:
    """What a step did: mean loss over objects and iterations, mean Dice after each iteration, objects."""

    loss: float
    dice_at_clicks: list[float]
    objects: int


def train_step(
    model: SamHQ,
    source: Tensor | EncoderOutput,
    frame: Frame,
    masks: Sequence[Tensor],
    schedule: ClickSchedule,
    objective: Objective,
    rng: np.random.Generator,
    autocast: torch.dtype | None = None,
    windows: bool = False,
) -> StepReport:
    """Add the gradient of the mean loss over objects and iterations to the parameters' `grad`.

    source: pixels (B, 3, 16 rows, 16 cols), or the encoder's output for them where the encoder is frozen.
    frame: the frame all B images share.
    masks: for each image the coverage 0..1 of its objects at logit resolution, (P_b, 4 rows, 4 cols).
    autocast: the type of reduced-precision arithmetic, or None.
    windows: take the objective on windows around and away from each object (see `windows.py`) where that is less
        work; without it the gradient is exact.
    """
    coverage = torch.cat(list(masks))
    objects = len(coverage)
    steps = schedule.steps(rng)
    if objects == 0:
        return StepReport(0.0, [1.0] * len(steps), 0)
    image = torch.repeat_interleave(
        torch.arange(len(masks), device=coverage.device),
        torch.tensor([len(part) for part in masks], device=coverage.device),
    )
    # one context for all clicks, so that each weight is cast once
    with torch.autocast(coverage.device.type, dtype=autocast, enabled=autocast is not None):
        output = source if isinstance(source, EncoderOutput) else model.encoder_output(source, frame)
        embedding = model.prepare(output, frame)
        leaf = embedding.leaf()
        prompts = first_prompts(coverage, image if len(masks) > 1 else None, frame, schedule, rng)
        placed = ObjectWindows.around(coverage, frame) if windows else None
        if placed is not None and placed.share > 0.7:
            placed = None
        loss, dice = _click_through(
            model, leaf, embedding.hq.dtype, prompts, coverage, placed, steps, schedule, objective, rng
        )

    pairs = [
        (tensor, collected.grad)
        for tensor, collected in ((embedding.features, leaf.features), (embedding.hq, leaf.hq))
        if tensor.requires_grad and collected.grad is not None
    ]
    if pairs:
        torch.autograd.backward([tensor for tensor, _ in pairs], [grad.to(tensor.dtype) for tensor, grad in pairs])
    return StepReport(loss, dice, objects)


def _click_through(
    model: SamHQ,
    leaf: ImageEmbedding,
    dtype: torch.dtype,
    prompts: Prompts,
    coverage: Tensor,
    windows: ObjectWindows | None,
    steps: Sequence[Step],
    schedule: ClickSchedule,
    objective: Objective,
    rng: np.random.Generator,
) -> tuple[float, list[float]]:
    """All iterations, each with its own backward; returns the mean loss and the mean Dice after each."""
    truth = (coverage > 0.5).cpu().numpy()
    share = 1.0 / (len(coverage) * len(steps))
    losses, dice = [], []
    logits: Tensor | None = None
    for step in steps:
        if logits is not None:
            if step == "mask":
                prompts = replace(prompts, logits=logits)
            else:
                clicks = correction_clicks((logits > 0).cpu().numpy(), truth, rng if schedule.random_clicks else None)
                prompts = corrected(prompts, clicks, logits, leaf.frame)
        # the decoder works in the encoder's precision, the leaf adds up in its own
        embedding = replace(leaf, features=leaf.features.to(dtype), hq=leaf.hq.to(dtype))
        attended = model.attend(embedding, prompts)
        if windows is None:
            masks = model.mask_decoder.masks(attended, embedding.hq)
            each = objective(MaskPrediction(masks, attended.score), coverage)
        else:
            with torch.no_grad():
                masks = model.mask_decoder.masks(attended, embedding.hq)
            each = windows.losses(model, embedding, attended, at_least_single(masks), objective, rng)
        logits = at_least_single(masks.detach()).clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
        loss = each.sum() * share
        loss.backward()
        losses.append(loss.detach())
        dice.append(hard_dice(logits, coverage).mean())
    return float(torch.stack(losses).sum()), torch.stack(dice).tolist()


def first_prompts(
    coverage: Tensor, image: Tensor | None, frame: Frame, schedule: ClickSchedule, rng: np.random.Generator
) -> Prompts:
    """The first click of each object: its interior centre, or a random pixel inside for a share of the objects.

    In a share of the steps every object has a box instead, and its click is there without a label.
    """
    truth = (coverage > 0.5).cpu().numpy()
    empty = np.flatnonzero(~truth.any(axis=(1, 2)))
    if len(empty):  # an object thinner than a logit: its best covered logit
        peaks = coverage[torch.from_numpy(empty)].flatten(1).argmax(dim=1).cpu().numpy()
        truth.reshape(len(truth), -1)[empty, peaks] = True
    points = interior_centre(truth)
    for index in np.flatnonzero(rng.random(len(truth)) < schedule.random_first):
        rows, columns = np.nonzero(truth[index])
        pick = rng.integers(len(rows))
        points[index] = columns[pick], rows[pick]
    placed = torch.from_numpy(frame.logit_points_to_frame(points))[:, None].to(coverage.device)
    labels = torch.ones(len(points), 1, dtype=torch.long, device=coverage.device)
    if schedule.box_first and rng.random() < schedule.box_first:
        boxes = frame.logit_points_to_frame(loose_boxes(truth, rng)).reshape(-1, 4)
        return Prompts(placed, labels - 2, torch.from_numpy(boxes).to(coverage.device), image=image)
    return Prompts(placed, labels, image=image)


def loose_boxes(masks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Boxes (P, 2, 2), two corners x, y, around masks (P, h, w) bool, as a hand draws them.

    Each side is off by up to a tenth of the box's length across it, at most 20 frame pixels, as SAM trains with.
    """
    boxes = np.empty((len(masks), 2, 2), np.float32)
    for index, mask in enumerate(masks):
        x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
        size = np.array([width, height], np.float32)
        slack = np.minimum(size / 10, 20 / LOGIT_STRIDE)
        corners = np.array([[x, y], [x + width, y + height]], np.float32) - 0.5  # outer edges, in pixel centres
        boxes[index] = corners + rng.uniform(-1, 1, (2, 2)) * slack
    return boxes


def corrected(prompts: Prompts, clicks: Clicks, logits: Tensor, frame: Frame) -> Prompts:
    """The prompts with each object's next click, given in logit pixels, and the mask logits it corrects.

    An object that needs no click has its last one repeated, so that all objects keep the same number; where a box
    came first, that is the interior centre.
    """
    found = torch.from_numpy(clicks.found).to(logits.device)
    points = torch.from_numpy(frame.logit_points_to_frame(clicks.points)).to(logits.device)
    labels = torch.from_numpy(clicks.labels).to(logits.device)
    return prompts.with_clicks(
        torch.where(found[:, None], points, prompts.points[:, -1]),
        torch.where(found, labels, torch.where(prompts.labels[:, -1] < 0, 1, prompts.labels[:, -1])),
        logits,
    )
