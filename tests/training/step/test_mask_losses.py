"""SAM's three masks in training: the loss and the gradient are those of each object's best mask."""

from typing import Any

import numpy as np
import pytest
import torch

from dentasam.model.core.frame import Frame
from dentasam.model.core.prompt import Prompts
from dentasam.model.sam_hq import MaskPrediction, SamHQ, build_sam_hq
from dentasam.prompts.click_schedule import ClickSchedule
from dentasam.training.step.click_terms import Clicked, ClickTerms
from dentasam.training.step.loss import MaskLoss, hard_iou
from dentasam.training.step.step_objects import StepObjects
from dentasam.training.step.step_settings import StepSettings
from dentasam.training.step.training_step import train_step

FRAME = Frame(192, 256, 1.0, 12, 16, top=9, left=31)
LOSS = MaskLoss(dice=1.0, bce=2.0, iou=0.3)


@pytest.fixture(scope="module")
def model() -> SamHQ:
    torch.manual_seed(0)
    return build_sam_hq("vit_tiny").double().eval()


def coverage() -> torch.Tensor:
    masks = torch.zeros(4, *FRAME.logits, dtype=torch.float64)
    masks[0, 0:7, 20:26] = 1
    masks[1, 20:29, 30:36] = 1
    masks[2, 41:48, 58:64] = 1
    masks[3, 10:40, 5:50] = 1
    return masks


def pixels() -> torch.Tensor:
    return torch.randn(1, 3, *FRAME.padded, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def settings(windows: bool = False, terms: ClickTerms | None = None, corrections: int = 0) -> StepSettings:
    schedule = ClickSchedule(corrections, mask_only=0, multimask_share=1.0, done_dice=None)
    return StepSettings(schedule, LOSS, windowed_loss=windows, click_terms=terms or ClickTerms())


def gradients(model: SamHQ, given: StepSettings) -> tuple[float, dict[str, torch.Tensor]]:
    model.zero_grad()
    report = train_step(model, pixels(), FRAME, [coverage()], given, np.random.default_rng(2))
    return report.loss, {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def begun(given: StepSettings) -> StepObjects:
    rng = np.random.default_rng(2)
    steps = given.schedule.steps(rng)
    return StepObjects.begin(coverage(), None, FRAME, given, len(steps), rng)


def by_hand(model: SamHQ, terms: ClickTerms) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean loss with its graph, and which mask is best for each object: three decodes, one after the other."""
    objects, loss = begun(settings()), MaskLoss(LOSS.dice, LOSS.bce, 0.0)
    embedding = model.encode(pixels(), FRAME)
    choices = model.decode_choices(embedding, objects.prompts)
    clicked = Clicked.of(objects.prompts, objects.truth, FRAME)
    total, best = torch.zeros((), dtype=torch.float64), []
    for index in range(4):
        rows = slice(index, index + 1)
        own = Clicked(clicked.points[rows], clicked.labels[rows], None)
        each = [
            loss(MaskPrediction(choices.logits[rows, c], choices.scores[rows, c]), coverage()[rows]) for c in range(3)
        ]
        errors = [
            (choices.scores[index, c] - hard_iou(choices.logits[rows, c], coverage()[rows])) ** 2 for c in range(3)
        ]
        best.append(min(range(3), key=lambda c: each[c].item()))
        total = total + each[best[-1]] + terms(choices.logits[rows, best[-1]], coverage()[rows], own)
        total = total + LOSS.iou * torch.stack(errors).mean()
    return total.squeeze() / 4, torch.tensor(best)


def test_loss_and_gradient_are_those_of_the_best_mask_and_all_scores(model: SamHQ) -> None:
    terms = ClickTerms(1.0, 0.5)
    model.zero_grad()
    total, best = by_hand(model, terms)
    total.backward()
    assert len(set(best.tolist())) > 1  # else the choice would not be tested
    expected = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    loss, found = gradients(model, settings(terms=terms))
    assert loss == pytest.approx(total.item(), rel=1e-6)
    # IoU and positions are in single precision
    scale = max(float(grad.abs().max()) for grad in expected.values())
    for name, grad in expected.items():
        if name in found:
            assert torch.allclose(found[name], grad, rtol=1e-5, atol=1e-7 * scale), name
        else:
            assert not grad.any(), name


def test_on_windows_the_value_is_the_exact_one_but_for_the_window_elsewhere(
    model: SamHQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dentasam.training.step.windowed_loss.can_upscale_sparsely", lambda decoder: False)
    monkeypatch.setitem(globals(), "LOSS", MaskLoss(dice=1.0, bce=0.0, iou=0.3))
    monkeypatch.setattr("dentasam.training.step.step_objects.MAX_WINDOW_SHARE", 9.0)
    terms = ClickTerms(1.0, 0.5)
    assert begun(settings(windows=True)).windows is not None
    found, _ = gradients(model, settings(windows=True, terms=terms))
    assert found == pytest.approx(gradients(model, settings(terms=terms))[0], rel=1e-6)


@pytest.fixture
def given(model: SamHQ, monkeypatch: pytest.MonkeyPatch) -> list[Prompts]:
    """The prompts of each iteration, as the model gets them from here on."""
    prompts_given: list[Prompts] = []
    attend = model.attend

    def watched(embedding: Any, prompts: Prompts) -> Any:
        prompts_given.append(prompts)
        return attend(embedding, prompts)

    monkeypatch.setattr(model, "attend", watched)
    return prompts_given


def test_the_best_mask_is_fed_back_and_the_single_one_goes_on(model: SamHQ, given: list[Prompts]) -> None:
    _, best = by_hand(model, ClickTerms())
    given.clear()
    gradients(model, settings(corrections=1))
    with torch.no_grad():
        choices = model.decode_choices(model.encode(pixels(), FRAME), given[0])
    logits = given[1].logits
    assert given[0].logits is None
    assert logits is not None
    assert torch.allclose(logits, choices.logits[torch.arange(4), best].clamp(-32, 32), atol=1e-9)


def test_the_last_mask_is_for_wholes_and_the_others_are_for_parts(model: SamHQ, given: list[Prompts]) -> None:
    parts, rng = [True, False, True, False], np.random.default_rng(2)
    train_step(model, pixels(), FRAME, [coverage()], settings(corrections=1), rng, parts=parts)
    loss = MaskLoss(LOSS.dice, LOSS.bce, 0.0)
    with torch.no_grad():
        choices = model.decode_choices(model.encode(pixels(), FRAME), given[0])
    each = [loss(MaskPrediction(choices.logits[:, c], choices.scores[:, c]), coverage()) for c in range(2)]
    expected = [int(each[1][i] < each[0][i]) if part else 2 for i, part in enumerate(parts)]
    assert given[1].logits is not None
    wanted = choices.logits[torch.arange(4), torch.tensor(expected)].clamp(-32, 32)
    assert torch.allclose(given[1].logits, wanted, atol=1e-9)


def test_three_masks_are_for_a_share_of_the_steps_that_begin_with_a_click() -> None:
    def drawn(**shares: float) -> list[bool]:
        schedule = ClickSchedule(1, 0, **shares)
        rng = np.random.default_rng(0)
        return [
            StepObjects.begin(coverage().float(), None, FRAME, StepSettings(schedule), 2, rng).multimask
            for _ in range(100)
        ]

    assert not any(drawn())
    assert 20 < sum(drawn(multimask_share=0.3)) < 42
    assert all(drawn(multimask_share=1.0))
    assert not any(drawn(multimask_share=1.0, box_first=1.0))
