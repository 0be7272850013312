"""One training step: encode once for all objects and all clicks, and go back through the encoder once.

    embedding = encode(images)
    leaf = embedding.detach()
    for each click:  decode(leaf), loss.backward()      frees the click's graph; gradients add up in the leaf
    embedding.backward(leaf.grad)                       the exact gradient of the summed loss

One graph over all 11 clicks gives the same gradient, but keeps the activations of every click until the end.

The loss is the mean over all objects and all iterations. The clicks themselves are in `click_through.py`. Objects
that do not fit into memory together are clicked in chunks, one after the other, and their gradients add up in the
same leaf, so chunks do not change the gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dentasam.model.core.frame import Frame
from dentasam.model.core.precision import arithmetic
from dentasam.model.decoder.mask_decoder import CHOICES
from dentasam.model.embedding import EncoderOutput, EncoderPrefix, ImageEmbedding
from dentasam.model.sam_hq import SamHQ
from dentasam.training.step.click_through import click_through
from dentasam.training.step.given_prompts import GivenPrompts
from dentasam.training.step.object_memory import trained_object_bytes
from dentasam.training.step.step_objects import StepObjects
from dentasam.training.step.step_settings import StepSettings


@dataclass(frozen=True)
class StepReport:
    """What a step did: mean loss over objects and iterations, mean Dice after each iteration, number of objects."""

    loss: float
    dice_at_clicks: list[float]
    objects: int


def train_step(
    model: SamHQ,
    source: Tensor | EncoderPrefix | EncoderOutput,
    frame: Frame,
    masks: Sequence[Tensor],
    settings: StepSettings,
    rng: np.random.Generator,
    given: GivenPrompts | None = None,
    parts: Sequence[bool] | None = None,
) -> StepReport:
    """Add the gradient of the mean loss over objects and iterations to the parameters' `grad`.

    source: pixels (B, 3, 16 rows, 16 cols), or the output of the encoder's frozen part for them.
    frame: the frame that all B images share.
    masks: for each image the coverage 0..1 of its objects at logit resolution, (P_b, 4 rows, 4 cols).
    rng: draws the order of the iterations, the first prompts and the clicks.
    given: the first prompts, where they are not to be drawn.
    parts: for each object whether it is a part of another, which says what SAM's three masks are to be; None where
        that is not known.
    """
    coverage = torch.cat(list(masks))
    steps = settings.schedule.steps(rng)
    if len(coverage) == 0:
        return StepReport(0.0, [1.0] * len(steps), 0)
    # One context for all clicks, so that each weight is cast once.
    with arithmetic(settings.autocast, coverage.device):
        embedding = _embedding(model, source, frame)
        leaf = embedding.leaf()
        owners = _image_of_object(masks)
        are_parts = None if parts is None else torch.tensor(list(parts), device=coverage.device)
        objects = StepObjects.begin(coverage, owners, frame, settings, len(steps), rng, given, are_parts)
        dtype, share = embedding.hq.dtype, 1.0 / (len(objects) * len(steps))
        chunks = objects.chunks(_objects_at_once(objects, settings, frame, dtype))
        sums = torch.stack([click_through(model, leaf, dtype, chunk, steps, settings, share) for chunk in chunks])
    _backward_through_encoder(embedding, leaf)
    losses, dice = (sums.sum(dim=0) / len(objects)).tolist()
    return StepReport(sum(losses) / len(steps), dice, len(objects))


def _embedding(model: SamHQ, source: Tensor | EncoderPrefix | EncoderOutput, frame: Frame) -> ImageEmbedding:
    """The image embeddings, with a graph through the part of the encoder that trains."""
    if isinstance(source, Tensor):
        source = model.encoder_output(source, frame)
    elif isinstance(source, EncoderPrefix):
        source = model.encoder_rest(source)
    return model.prepare(source, frame)


def _image_of_object(masks: Sequence[Tensor]) -> Tensor | None:
    """Which image each object belongs to, (P,) long; None for a single image."""
    if len(masks) == 1:
        return None
    owners = [index for index, part in enumerate(masks) for _ in range(len(part))]
    return torch.tensor(owners, device=masks[0].device)


def _objects_at_once(objects: StepObjects, settings: StepSettings, frame: Frame, dtype: torch.dtype) -> int:
    """How many objects fit into the memory that the settings allow, at least one."""
    if settings.decode_bytes is None:
        return len(objects)
    clicks = 1 + settings.schedule.corrections
    at_once = CHOICES if objects.multimask else 1
    each = trained_object_bytes(frame, objects.windows, clicks, dtype, settings.click_terms, at_once)
    return max(1, settings.decode_bytes // each)


def _backward_through_encoder(embedding: ImageEmbedding, leaf: ImageEmbedding) -> None:
    """Pass the gradients that all clicks left in the leaf on to the encoder, where it trains."""
    pairs = [
        (tensor, collected.grad)
        for tensor, collected in ((embedding.features, leaf.features), (embedding.hq, leaf.hq))
        if tensor.requires_grad and collected.grad is not None
    ]
    if pairs:
        torch.autograd.backward([tensor for tensor, _ in pairs], [grad.to(tensor.dtype) for tensor, grad in pairs])
