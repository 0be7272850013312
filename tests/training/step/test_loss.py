import math

import torch

from dentasam.model.sam_hq import MaskPrediction
from dentasam.training.step.loss import MaskLoss, hard_dice, hard_iou, neighbourhood


def square() -> torch.Tensor:
    coverage = torch.zeros(2, 16, 24)
    coverage[0, 4:8, 6:10] = 1
    coverage[1, 10:14, 18:24] = 1
    return coverage


def test_perfect_prediction_costs_nothing() -> None:
    coverage = square()
    prediction = MaskPrediction((coverage * 2 - 1) * 40, torch.ones(2))
    assert MaskLoss()(prediction, coverage).abs().max() < 1e-5


def test_values_at_indifferent_logits() -> None:
    coverage = square()
    prediction = MaskPrediction(torch.zeros(2, 16, 24), torch.zeros(2))
    area = coverage.sum(dim=(1, 2))
    dice = 1 - (area + 1) / (192 + area + 1)
    assert torch.allclose(MaskLoss(dice=1, bce=0, iou=0)(prediction, coverage), dice)
    # the mean inside the neighbourhood plus the mean outside it
    assert torch.allclose(MaskLoss(dice=0, bce=1, iou=0)(prediction, coverage), torch.tensor(2 * math.log(2)))


def test_neighbourhood_is_the_box_grown_by_half() -> None:
    near = neighbourhood(square())
    assert near[0].nonzero().amin(dim=0).tolist() == [2, 4]
    assert near[0].nonzero().amax(dim=0).tolist() == [9, 11]
    assert near[1].nonzero().amax(dim=0).tolist() == [15, 23]


def test_hard_scores_by_hand() -> None:
    coverage = torch.zeros(1, 4, 4)
    coverage[0, 0, :4] = 1
    logits = torch.full((1, 4, 4), -1.0)
    logits[0, 0, 2:] = 1
    logits[0, 1, 2:] = 1
    assert abs(hard_iou(logits, coverage).item() - 2 / 6) < 1e-6
    assert abs(hard_dice(logits, coverage).item() - 0.5) < 1e-6


def test_two_empty_masks_agree() -> None:
    assert hard_iou(torch.full((1, 4, 4), -1.0), torch.zeros(1, 4, 4)).item() == 1
