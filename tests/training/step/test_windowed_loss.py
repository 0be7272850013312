import numpy as np
import pytest
import torch

from dentasam.model.core.frame import Frame
from dentasam.model.sam_hq import MaskPrediction, SamHQ, build_sam_hq
from dentasam.prompts.click_schedule import ClickSchedule
from dentasam.training.step.click_terms import Clicked, ClickTerms
from dentasam.training.step.first_prompts import first_prompts
from dentasam.training.step.loss import MaskLoss
from dentasam.training.step.step_settings import StepSettings
from dentasam.training.step.training_step import train_step
from dentasam.training.step.windowed_loss import LossWindows

FRAME = Frame(192, 256, 1.0, 12, 16, top=9, left=31)

DRAWS = torch.from_numpy(np.random.default_rng(1).random((2, 3)))


def coverage() -> torch.Tensor:
    masks = torch.zeros(3, *FRAME.logits, dtype=torch.float64)
    masks[0, 0:7, 20:26] = 1  # at the upper border
    masks[1, 20:29, 30:36] = 1
    masks[2, 41:48, 58:64] = 1  # in the lower right corner
    return masks


def small_model() -> SamHQ:
    torch.manual_seed(0)
    return build_sam_hq("vit_tiny").double().eval()


def test_window_logits_are_those_of_the_whole_map() -> None:
    model = small_model()
    embedding = model.encode(torch.randn(1, 3, *FRAME.padded, dtype=torch.float64), FRAME)
    placed = LossWindows.around(coverage(), FRAME)
    prompts = first_prompts(coverage(), None, FRAME, ClickSchedule(), np.random.default_rng(0))
    state = model.attend(embedding, prompts)
    whole = model.mask_decoder.masks(state, embedding.hq)
    for windows in (placed.windows, placed.elsewhere(whole.detach(), DRAWS)):
        inside = model.mask_decoder.masks(state, embedding.hq, windows)
        core = placed.core(windows)
        assert core.any(dim=(1, 2)).all()
        assert torch.allclose(inside[core], placed.cut(whole, windows)[core], rtol=0, atol=1e-12)


def test_windows_hold_every_neighbourhood_off_their_halo() -> None:
    placed = LossWindows.around(coverage(), FRAME)
    core = placed.core(placed.windows)
    near = placed.cut(placed.near, placed.windows)
    assert torch.equal(near.sum(dim=(1, 2)), placed.near.sum(dim=(1, 2)))
    assert not (near & ~core).any()


def test_loss_value_is_the_exact_one_but_for_the_window_elsewhere() -> None:
    model = small_model()
    embedding = model.encode(torch.randn(1, 3, *FRAME.padded, dtype=torch.float64), FRAME)
    prompts = first_prompts(coverage(), None, FRAME, ClickSchedule(), np.random.default_rng(0))
    state = model.attend(embedding, prompts)
    whole = model.mask_decoder.masks(state, embedding.hq).detach()
    placed = LossWindows.around(coverage(), FRAME)
    loss = MaskLoss(bce=0.0)
    found = placed.losses(model, embedding, state, whole, loss, DRAWS)
    assert torch.allclose(found, loss(MaskPrediction(whole, state.score), coverage()), atol=1e-12)


def test_gradient_points_where_the_exact_one_does() -> None:
    model = small_model()
    pixels = torch.randn(1, 3, *FRAME.padded, dtype=torch.float64)
    gradients = []
    for windows in (False, True):
        model.zero_grad()
        schedule = ClickSchedule(corrections=2, mask_only=1, random_share=0.0)
        settings = StepSettings(schedule, windowed_loss=windows)
        train_step(model, pixels, FRAME, [coverage()], settings, np.random.default_rng(2))
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    exact, found = gradients
    assert torch.nn.functional.cosine_similarity(exact, found, dim=0) > 0.95


@pytest.mark.parametrize("gathered", [False, True])
def test_terms_of_the_clicks_are_the_exact_ones(monkeypatch: pytest.MonkeyPatch, gathered: bool) -> None:
    """In value and gradient, wherever the clicks are: at borders, between logits, and where an object has none."""
    monkeypatch.setattr("dentasam.training.step.windowed_loss.on_device", lambda device: gathered)
    model = small_model()
    embedding = model.encode(torch.randn(1, 3, *FRAME.padded, dtype=torch.float64), FRAME)
    prompts = first_prompts(coverage(), None, FRAME, ClickSchedule(), np.random.default_rng(0))
    state = model.attend(embedding, prompts)
    points = torch.tensor(
        [[[0.0, 0.0], [22.3, 3.7]], [[63.0, 47.0], [31.5, 27.5]], [[40.25, 12.0], [62.9, 46.8]]], dtype=torch.float64
    )
    wrong = torch.rand(3, *FRAME.logits, generator=torch.Generator().manual_seed(1)) < 0.3
    clicked = Clicked(points, torch.tensor([[0, 1], [1, 0], [-1, 1]]), wrong)
    placed, terms = LossWindows.around(coverage(), FRAME), ClickTerms(0.7, 0.4)

    def gradient(each: torch.Tensor) -> list[torch.Tensor]:
        heads = [
            *model.mask_decoder.output_upscaling.parameters(),
            *model.mask_decoder.embedding_maskfeature.parameters(),
        ]
        return list(torch.autograd.grad((each * torch.tensor([1.0, 2.0, 3.0])).sum(), heads, retain_graph=True))

    expected = terms(model.mask_decoder.masks(state, embedding.hq), coverage(), clicked)
    found = placed.click_losses(model, embedding, state, terms, clicked)
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)
    for ours, theirs in zip(gradient(found), gradient(expected), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    alone = placed.click_losses(model, embedding, state, ClickTerms(0.0, 0.4), clicked)
    region = placed.click_losses(model, embedding, state, ClickTerms(0.7, 0.0), clicked)
    assert torch.allclose(alone + region, expected, rtol=0, atol=1e-12)
