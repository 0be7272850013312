"""The loss of one prediction: Dice and cross-entropy of the masks, and the error of the predicted IoU.

It is taken at logit resolution (four logits to a token along each axis). The truth is the share of each logit's 4 x 4
frame pixels that the object covers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dentasam.model.sam_hq import MaskPrediction


@dataclass(frozen=True)
class MaskLoss:
    """Weights of the soft Dice loss, the binary cross-entropy and the squared error of the predicted IoU.

    The cross-entropy is the mean over the object's neighbourhood (its bounding box grown by half its size on each
    side) plus the mean over the rest of the image: a tooth covers 1 % of a panoramic, and in a plain mean its edge
    would weigh nothing.
    """

    dice: float = 1.0
    bce: float = 2.0
    iou: float = 0.05

    def __call__(self, prediction: MaskPrediction, coverage: Tensor) -> Tensor:
        """Loss of each object, (P,), of predicted logits and coverage (P, h, w)."""
        logits = at_least_single(prediction.logits)
        probability = logits.sigmoid()
        near = neighbourhood(coverage)
        entropy = F.binary_cross_entropy_with_logits(logits, coverage, reduction="none")
        return self.weighted(
            area(probability * coverage),
            area(probability),
            area(coverage),
            mean_where(entropy, near) + mean_where(entropy, ~near),
            at_least_single(prediction.scores),
            hard_iou(logits.detach(), coverage),
        )

    def weighted(
        self, overlap: Tensor, predicted: Tensor, true: Tensor, bce: Tensor, score: Tensor, true_iou: Tensor
    ) -> Tensor:
        """The weighted sum of the parts, (P,); overlap, predicted and true are soft areas, every argument is (P,)."""
        dice = 1 - (2 * overlap + 1) / (predicted + true + 1)
        return self.dice * dice + self.bce * bce + self.iou * (score - true_iou) ** 2


def at_least_single(tensor: Tensor) -> Tensor:
    """The tensor in single precision, or as it is where it is more precise."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def neighbourhood(coverage: Tensor) -> Tensor:
    """Each object's bounding box grown by half its size on each side, (P, h, w) bool."""
    return _grown(coverage.amax(dim=2))[:, :, None] & _grown(coverage.amax(dim=1))[:, None, :]


def area(maps: Tensor) -> Tensor:
    """Sum of each map, (P, h, w) to (P,)."""
    return maps.sum(dim=(1, 2))


def mean_where(maps: Tensor, where: Tensor) -> Tensor:
    """Mean of each map over the pixels of `where`, (P, h, w) to (P,); 0 where there are none."""
    return area(maps * where) / area(where).clamp(min=1)


def _grown(profile: Tensor) -> Tensor:
    """The span where each profile (P, n) is positive, grown by half its length on each side, (P, n) bool."""
    place = torch.arange(profile.shape[1], device=profile.device)
    covered = profile > 0
    first = torch.where(covered, place, profile.shape[1]).amin(dim=1, keepdim=True)
    last = torch.where(covered, place, -1).amax(dim=1, keepdim=True)
    margin = torch.div(last - first + 1, 2, rounding_mode="floor").clamp(min=2)
    return (place >= first - margin) & (place <= last + margin)


def hard_iou(logits: Tensor, coverage: Tensor) -> Tensor:
    """IoU of the thresholded masks, (P,)."""
    predicted, true = logits > 0, coverage > 0.5
    intersection = area(predicted & true).float()
    union = area(predicted | true).float()
    return torch.where(union > 0, intersection / union.clamp(min=1), torch.ones_like(union))


def hard_dice(logits: Tensor, coverage: Tensor) -> Tensor:
    """Dice of the thresholded masks, (P,)."""
    iou = hard_iou(logits, coverage)
    return 2 * iou / (1 + iou)
