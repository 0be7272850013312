"""Encode once, then one graph over all clicks and one backward: the scheme of micro-sam's interactive training.

After `sam_trainer.py` of micro-sam (Archit et al., Nature Methods 2025), with the published HQ decoder for SAM's: the
image is encoded once for all objects, the losses of all iterations are added up, and the graph of every iteration
is held until the one backward at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dentasam.model.core.frame import LOGIT_STRIDE, Frame
from dentasam.model.core.prompt import LOGIT_LIMIT, Prompts
from dentasam.model.sam_hq import MaskPrediction, SamHQ
from dentasam.prompts.click_schedule import ClickSchedule
from dentasam.prompts.correction_clicks import correction_clicks, interior_centre
from dentasam.training.step.loss import MaskLoss, at_least_single

from .published_decoder import decode


def joint_graph_step(
    model: SamHQ,
    pixels: Tensor,
    frame: Frame,
    coverage: Tensor,
    schedule: ClickSchedule,
    objective: MaskLoss,
    rng: np.random.Generator,
) -> float:
    """Add the gradient of the mean loss over objects and iterations to `grad`; returns the loss.

    coverage: (P, h, w) at the resolution at which the loss is taken and clicks are found.
    """
    output = model.encoder_output(pixels, frame)
    hq = model.mask_decoder.hq_features(output.features, output.intermediate)
    loss = clicked_loss(
        lambda prompts: decode(model, output, frame, prompts, hq), frame, coverage, schedule, objective, rng
    )
    loss.backward()
    return float(loss.detach())


def clicked_loss(
    decoded: Callable[[Prompts], MaskPrediction],
    frame: Frame,
    coverage: Tensor,
    schedule: ClickSchedule,
    objective: MaskLoss,
    rng: np.random.Generator,
) -> Tensor:
    """The mean loss over objects and iterations, with its whole graph."""
    stride = frame.padded[0] // coverage.shape[1]
    truth = (coverage > 0.5).cpu().numpy()
    steps = schedule.steps(rng)
    points = in_frame(interior_centre(truth), stride, frame)[:, None].to(coverage.device)
    prompts = Prompts(points, torch.ones(points.shape[:2], dtype=torch.long, device=coverage.device))
    losses: list[Tensor] = []
    fed_back = predicted = coverage
    for step in steps:
        if step != "first":
            prompts = replace(prompts, logits=fed_back)
        if step == "correction":
            wrong = (predicted > 0).cpu().numpy()
            centred = rng.random(len(truth)) >= schedule.random_share
            clicks = correction_clicks(wrong, truth, rng, centred)
            found = torch.from_numpy(clicks.found).to(coverage.device)
            at = in_frame(clicks.points, stride, frame).to(coverage.device)
            at = torch.where(found[:, None], at, prompts.points[:, -1])
            labels = torch.from_numpy(clicks.labels).to(coverage.device)
            prompts = prompts.with_clicks(at, torch.where(found, labels, prompts.labels[:, -1]), fed_back)
        prediction = decoded(prompts)
        fed_back = at_least_single(prediction.logits.detach()).clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
        if stride != LOGIT_STRIDE:
            larger = F.interpolate(prediction.logits[:, None], coverage.shape[1:], mode="bilinear")
            prediction = replace(prediction, logits=larger[:, 0])
        predicted = prediction.logits.detach()
        losses.append(objective(prediction, coverage).mean())
    return torch.stack(losses).mean()


def in_frame(points: np.ndarray, stride: int, frame: Frame) -> Tensor:
    """Indices of pixels `stride` frame pixels wide, (P, 2) x, y, to the frame position of their centre."""
    placed = (
        np.asarray(points, np.float32) * stride + np.array(frame.origin, np.float32) + np.float32((stride - 1) / 2)
    )
    return torch.from_numpy(placed)
