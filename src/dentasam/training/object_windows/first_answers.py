"""What the model itself answers to the first click on the whole image: a step on object windows begins with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from dentasam.model.core.precision import arithmetic
from dentasam.model.core.prompt import LOGIT_LIMIT, PromptLayout, Prompts
from dentasam.model.sam_hq import MaskPrediction, SamHQ
from dentasam.training.samples.encoding import Encoding
from dentasam.training.samples.sample import Sample

# Memory for the objects that are decoded at a time.
_DECODE_BYTES = 2**29


@torch.no_grad()
def first_answers(
    model: SamHQ, encoding: Encoding, sample: Sample, points: np.ndarray, boxes: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Logits (P, 4 rows, 4 cols) and scores (P,) for the first prompts of a sample's P objects.

    points: (P, 2) positive clicks in pixels of the frame; boxes: (P, 4) there, in their place, or None.
    """
    clicks = torch.from_numpy(points.astype(np.float32))[:, None]
    labels = torch.full(clicks.shape[:2], 1 if boxes is None else -1, dtype=torch.long)
    corners = None if boxes is None else torch.from_numpy(boxes.astype(np.float32))
    layout = PromptLayout() if boxes is None else PromptLayout(1, box=True)
    prompts = Prompts(clicks, labels, corners, layout=layout).to(model.device)
    with evaluating(model):
        with arithmetic(encoding.autocast, model.device):
            embedding = model.prepare(encoding.output(sample), sample.frame)
        embedding = embedding.to(dtype=model.dtype)
        budget = _DECODE_BYTES if model.device.type == "cpu" else None
        found: MaskPrediction = model.decode(embedding, prompts, sparse_upscaling=True, budget=budget)
    logits = found.logits.float().clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
    return logits.cpu().numpy(), found.scores.float().cpu().numpy()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode, and every part of it in its earlier mode afterwards."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
