"""Two terms of the loss that ask the mask to follow the clicks.

The mean over a whole mask hardly notices whether a correction was followed: what it asks for is a few logits wide. So

    region   the cross-entropy near the newest click, most where the mask was wrong before it
    click    softplus(1 - side * logit) at the place of every click so far; side is 1 for a positive click, else -1

are added to the loss of each mask. Places are in logit pixels, whose centres are whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dentasam.model.core.frame import LOGIT_STRIDE, Frame
from dentasam.model.core.prompt import Prompts

# Logit pixels: standard deviation of the region's weight, and how far it reaches along each axis (two tokens).
REGION_SPREAD = 3.0
REGION_REACH = 8.0
# What a pixel that was right before the click weighs; one that was wrong weighs 1 more.
RIGHT_WEIGHT = 0.2


@dataclass(frozen=True)
class Clicked:
    """The clicks so far of P objects, for the loss.

    points: (P, n, 2) x, y in logit pixels. labels: (P, n) 1, 0, or -1 where an object has no such click.
    wrong: (P, h, w) bool, where the mask was wrong before the newest click; None before the first mask.
    """

    points: Tensor
    labels: Tensor
    wrong: Tensor | None

    @classmethod
    def of(cls, prompts: Prompts, truth: Tensor, frame: Frame) -> Clicked:
        """The clicks of prompts in a frame; their logits are the masks before, NaN where there is none.

        truth: (P, h, w) bool.
        """
        origin = torch.tensor(frame.origin, dtype=prompts.points.dtype, device=prompts.points.device)
        points = (prompts.points - origin - (LOGIT_STRIDE - 1) / 2) / LOGIT_STRIDE
        before = prompts.logits
        return cls(points, prompts.labels, None if before is None else ((before > 0) != truth) | before.isnan())

    def in_pieces(self, index: int, corners: Tensor, wrong: Tensor | None) -> Clicked:
        """One click of each object in a piece of its map with first logit at `corners` (P, 2); wrong: the piece's."""
        points = self.points[:, index] - corners.to(self.points.dtype)
        return Clicked(points[:, None], self.labels[:, index, None], wrong)


@dataclass(frozen=True)
class ClickTerms:
    """Weights of the two terms."""

    region: float = 0.0
    click: float = 0.0

    def __bool__(self) -> bool:
        """Whether either term counts."""
        return self.region > 0 or self.click > 0

    def __call__(self, logits: Tensor, coverage: Tensor, clicked: Clicked) -> Tensor:
        """Both terms of each object, weighted, (P,); logits, coverage: (P, h, w)."""
        total = torch.zeros(len(logits), dtype=logits.dtype, device=logits.device)
        if self.region > 0:
            total = total + self.region * region_term(logits, coverage, clicked)
        if self.click > 0:
            total = total + self.click * click_term(logits_at(logits, clicked.points), clicked.labels)
        return total


def region_term(logits: Tensor, coverage: Tensor, clicked: Clicked) -> Tensor:
    """The weighted mean of the cross-entropy around the newest click, (P,); 0 for an object without one."""
    x, y = clicked.points[:, -1].to(logits.dtype).unbind(dim=1)
    across = torch.arange(logits.shape[2], device=logits.device) - x[:, None]
    down = torch.arange(logits.shape[1], device=logits.device) - y[:, None]
    weight = _near(down)[:, :, None] * _near(across)[:, None, :]
    if clicked.wrong is None:
        weight = weight * (RIGHT_WEIGHT + 1)
    else:
        weight = weight * (RIGHT_WEIGHT + clicked.wrong.to(logits.dtype))
    entropy = F.binary_cross_entropy_with_logits(logits, coverage.to(logits.dtype), reduction="none")
    mean = (weight * entropy).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1e-3)
    return mean * (clicked.labels[:, -1] >= 0)


def click_term(values: Tensor, labels: Tensor) -> Tensor:
    """The mean of softplus(1 - side * logit) over each object's clicks, (P,); values, labels: (P, n)."""
    given = labels >= 0
    side = 2.0 * labels.clamp(min=0) - 1.0
    return (F.softplus(1 - side * values) * given).sum(dim=1) / given.sum(dim=1).clamp(min=1)


def logits_at(logits: Tensor, points: Tensor) -> Tensor:
    """Bilinear values (P, n) of logits (P, h, w) at points (P, n, 2); beyond the border, those at the border."""
    size = torch.tensor([logits.shape[2], logits.shape[1]], dtype=logits.dtype, device=logits.device)
    places = (2 * points.to(logits.dtype) + 1) / size - 1
    return F.grid_sample(logits[:, None], places[:, None], padding_mode="border", align_corners=False)[:, 0, 0]


def _near(offset: Tensor) -> Tensor:
    """The Gaussian weight along one axis, 0 beyond its reach."""
    return torch.exp(-(offset**2) / (2 * REGION_SPREAD**2)) * (offset.abs() <= REGION_REACH)
