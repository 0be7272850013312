import numpy as np
import torch

from dentasam.model.core.frame import Frame
from dentasam.model.sam_hq import MaskPrediction, SamHQ, build_sam_hq
from dentasam.prompts.click_schedule import ClickSchedule
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
        schedule = ClickSchedule(corrections=2, mask_only=1, random_clicks=False)
        settings = StepSettings(schedule, windowed_loss=windows)
        train_step(model, pixels, FRAME, [coverage()], settings, np.random.default_rng(2))
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    exact, found = gradients
    assert torch.nn.functional.cosine_similarity(exact, found, dim=0) > 0.95
