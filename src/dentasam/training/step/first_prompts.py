"""The first prompt of each object in a training step: a click at its centre or anywhere inside, or a loose box."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dentasam.model.core.frame import LOGIT_STRIDE, Frame
from dentasam.model.core.prompt import PromptLayout, Prompts
from dentasam.prompts.click_schedule import ClickSchedule
from dentasam.prompts.tensor_correction_clicks import correction_clicks, interior_centre


def first_prompts(
    coverage: Tensor, image: Tensor | None, frame: Frame, schedule: ClickSchedule, rng: np.random.Generator
) -> Prompts:
    """The first click of each object: its interior centre, or a random pixel inside for a share of the objects.

    In a share of the steps every object gets a box instead. Its click then has the label -1, which means none.

    coverage: (P, 4 rows, 4 cols). image: (P,), which image each object belongs to, or None for a single image.
    """
    truth = clickable(coverage)
    shares = rng.random((2, len(truth)))
    points = interior_centre(truth)
    anywhere = shares[0] < schedule.random_first
    if anywhere.any():
        # With an empty prediction the wrong pixels are those of the object.
        inside = correction_clicks(torch.zeros_like(truth), truth, torch.from_numpy(shares[1]).to(truth.device))
        points = torch.where(torch.from_numpy(anywhere).to(points.device)[:, None], inside.points, points)
    placed = in_frame(points, frame)[:, None]
    labels = torch.ones(len(points), 1, dtype=torch.long, device=coverage.device)
    if schedule.box_first and rng.random() < schedule.box_first:
        return Prompts(
            placed,
            labels - 2,
            in_frame(loose_boxes(truth, rng), frame).flatten(1),
            None,
            image,
            PromptLayout(1, box=True),
        )
    return Prompts(placed, labels, image=image, layout=PromptLayout())


def clickable(coverage: Tensor) -> Tensor:
    """Each object's mask, (P, h, w) bool; for an object thinner than a logit pixel, the pixel it covers most."""
    truth = (coverage > 0.5).flatten(1)
    best = torch.zeros_like(truth).scatter_(1, coverage.flatten(1).argmax(dim=1, keepdim=True), True)
    return (truth | (best & ~truth.any(dim=1, keepdim=True))).view_as(coverage)


def loose_boxes(masks: Tensor, rng: np.random.Generator) -> Tensor:
    """Boxes (P, 2, 2), two corners x, y, around masks (P, h, w) bool, as inexact as if drawn by hand.

    Each side is off by up to a tenth of the box's length in that direction, and by 20 frame pixels at most, as in
    SAM's training (Kirillov et al., 2023, appendix A).
    """
    spans = [_span(masks.any(dim=1)), _span(masks.any(dim=2))]  # x, then y
    corners = torch.stack(spans, dim=-1).float()  # (P, 2, 2), outer edges; pixel centres are whole numbers
    slack = ((corners[:, 1] - corners[:, 0]) / 10).clamp(max=20 / LOGIT_STRIDE)
    off = torch.from_numpy(rng.uniform(-1, 1, tuple(corners.shape)).astype(np.float32)).to(masks.device)
    return corners + off * slack[:, None]


def in_frame(points: Tensor, frame: Frame) -> Tensor:
    """Logit pixels (..., 2), x, y, to the frame positions of their centres, on the same device."""
    x, y = points.unbind(dim=-1)
    left, top = (origin + (LOGIT_STRIDE - 1) / 2 for origin in frame.origin)
    return torch.stack([x * LOGIT_STRIDE + left, y * LOGIT_STRIDE + top], dim=-1)


def _span(covered: Tensor) -> Tensor:
    """The outer edges of the covered part of each profile (P, n), (P, 2)."""
    covered = covered.byte()
    first, after = covered.argmax(dim=1), covered.shape[1] - covered.flip(1).argmax(dim=1)
    return torch.stack([first, after], dim=1) - 0.5
