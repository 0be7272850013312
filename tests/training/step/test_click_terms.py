"""The terms of the loss that follow the clicks, against sums that are written out."""

import math

import numpy as np
import torch

from dentasam.model.core.frame import Frame
from dentasam.model.core.prompt import Prompts
from dentasam.training.step.click_terms import Clicked, ClickTerms, logits_at, region_term

FRAME = Frame(64, 96, 1.0, 4, 6, top=20, left=11)


def example() -> tuple[torch.Tensor, torch.Tensor, Clicked]:
    """Two objects with three clicks, the second without its first one."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, 16, 24, dtype=torch.float64, generator=generator)
    coverage = torch.rand(2, 16, 24, dtype=torch.float64, generator=generator)
    points = torch.tensor([[[3.0, 4.0], [10.5, 2.25], [20.0, 9.0]], [[0.0, 0.0], [5.0, 15.0], [7.3, 6.6]]])
    labels = torch.tensor([[1, 0, 1], [-1, 1, 0]])
    return logits, coverage, Clicked(points, labels, logits.roll(3, 2) > 1)


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


def test_region_is_the_weighted_mean_of_the_cross_entropy() -> None:
    logits, coverage, clicked = example()
    assert clicked.wrong is not None
    found = ClickTerms(region=2.0)(logits, coverage, clicked)
    for index, (x, y) in enumerate(clicked.points[:, -1].tolist()):
        total = weights = 0.0
        for row in range(16):
            for column in range(24):
                if max(abs(row - y), abs(column - x)) > 8:
                    continue
                weight = math.exp(-((row - y) ** 2 + (column - x) ** 2) / 18)
                weight *= 0.2 + float(clicked.wrong[index, row, column])
                logit, true = float(logits[index, row, column]), float(coverage[index, row, column])
                total += weight * (softplus(logit) - true * logit)
                weights += weight
        assert abs(float(found[index]) - 2 * total / weights) < 1e-9


def test_click_is_the_mean_over_the_given_clicks() -> None:
    logits, coverage, clicked = example()
    found = ClickTerms(click=0.5)(logits, coverage, clicked)
    between = 0.75 * (logits[0, 2, 10] + logits[0, 2, 11]) / 2 + 0.25 * (logits[0, 3, 10] + logits[0, 3, 11]) / 2
    first = [
        softplus(1 - float(logits[0, 4, 3])),
        softplus(1 + float(between)),
        softplus(1 - float(logits[0, 9, 20])),
    ]
    assert abs(float(found[0]) - 0.5 * sum(first) / 3) < 1e-6
    last = 0.7 * (0.4 * logits[1, 6, 7] + 0.6 * logits[1, 7, 7]) + 0.3 * (
        0.4 * logits[1, 6, 8] + 0.6 * logits[1, 7, 8]
    )
    second = [softplus(1 - float(logits[1, 15, 5])), softplus(1 + float(last))]
    assert abs(float(found[1]) - 0.5 * sum(second) / 2) < 1e-6


def test_gradient_is_that_of_finite_differences() -> None:
    logits, coverage, clicked = example()
    logits.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda given: ClickTerms(1.0, 0.5)(given, coverage, clicked), logits)


def test_a_wrong_pixel_weighs_six_times_a_right_one() -> None:
    logits = torch.zeros(1, 17, 17, dtype=torch.float64, requires_grad=True)
    wrong = torch.zeros(1, 17, 17, dtype=torch.bool)
    wrong[0, 8, 9] = True
    clicked = Clicked(torch.tensor([[[8.0, 8.0]]]), torch.tensor([[1]]), wrong)
    region_term(logits, torch.ones(1, 17, 17, dtype=torch.float64), clicked).sum().backward()
    assert logits.grad is not None
    assert abs(float(logits.grad[0, 8, 9] / logits.grad[0, 8, 7]) - 6) < 1e-9


def test_terms_of_an_object_without_clicks_are_nothing() -> None:
    logits, coverage, clicked = example()
    nothing = Clicked(clicked.points, torch.full_like(clicked.labels, -1), None)
    assert ClickTerms(1.0, 0.5)(logits, coverage, nothing).tolist() == [0.0, 0.0]
    assert ClickTerms(1.0, 0.0)(logits, coverage, Clicked(clicked.points, clicked.labels, None)).min() > 0
    assert not ClickTerms()
    assert ClickTerms(0.0, 0.1)


def test_clicks_in_the_frame_are_read_in_its_logits() -> None:
    placed = np.array([[[5.0, 7.0], [0.0, 3.0]]])
    points = torch.from_numpy(FRAME.logit_points_to_frame(placed[0]))[None]
    truth = torch.zeros(1, 16, 24, dtype=torch.bool)
    truth[0, 4, 4] = True
    before = torch.full((1, 16, 24), -1.0)
    before[0, 2, 3] = 1.0
    before[0, 9, 9] = torch.nan  # no mask there
    clicked = Clicked.of(Prompts(points, torch.tensor([[1, 0]]), logits=before), truth, FRAME)
    assert torch.allclose(clicked.points, torch.from_numpy(placed).to(clicked.points))
    assert clicked.wrong is not None
    assert clicked.wrong[0].nonzero().tolist() == [[2, 3], [4, 4], [9, 9]]
    assert Clicked.of(Prompts(points, torch.tensor([[1, 0]])), truth, FRAME).wrong is None


def test_values_beyond_the_border_are_those_at_it() -> None:
    logits = torch.arange(12.0, dtype=torch.float64).view(1, 3, 4)
    points = torch.tensor([[[-3.0, 1.0], [9.0, 9.0], [1.0, 0.0]]])
    assert torch.allclose(logits_at(logits, points), torch.tensor([[4.0, 11.0, 1.0]], dtype=torch.float64))
