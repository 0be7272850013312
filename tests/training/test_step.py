from dataclasses import replace

import numpy as np
import pytest
import torch

from dentasam.model.frame import Frame
from dentasam.model.prompt import LOGIT_LIMIT
from dentasam.model.sam_hq import SamHQ, build_sam_hq
from dentasam.prompts.clicks import correction_clicks
from dentasam.prompts.schedule import ClickSchedule
from dentasam.training.objective import Objective, at_least_single
from dentasam.training.step import corrected, first_prompts, loose_boxes, train_step

FRAME = Frame(64, 96, 1.0, 4, 6, top=20, left=11)
SCHEDULE = ClickSchedule(corrections=3, mask_only=2, random_first=0.5)


@pytest.fixture(scope="module")
def model() -> SamHQ:
    torch.manual_seed(0)
    return build_sam_hq("vit_tiny").double().eval()


def batch() -> tuple[torch.Tensor, list[torch.Tensor]]:
    torch.manual_seed(1)
    pixels = torch.randn(2, 3, *FRAME.padded, dtype=torch.float64)
    masks = torch.zeros(5, *FRAME.logits, dtype=torch.float64)
    for index in range(5):
        masks[index, 2 + index : 9 + index, 3 * index : 3 * index + 6] = 1
    return pixels, [masks[:3], masks[3:]]


def joint_gradient(model: SamHQ, seed: int) -> tuple[dict[str, torch.Tensor], float]:
    """The same iterations on one graph that reaches from every click back to the image."""
    pixels, masks = batch()
    coverage = torch.cat(masks)
    truth = (coverage > 0.5).numpy()
    rng = np.random.default_rng(seed)
    steps = SCHEDULE.steps(rng)
    embedding = model.encode(pixels, FRAME)
    prompts = first_prompts(coverage, torch.tensor([0, 0, 0, 1, 1]), FRAME, SCHEDULE, rng)
    total = torch.zeros((), dtype=torch.float64)
    logits = None
    for step in steps:
        if step == "correction":
            assert logits is not None
            prompts = corrected(prompts, correction_clicks((logits > 0).numpy(), truth, rng), logits, FRAME)
        elif step == "mask":
            prompts = replace(prompts, logits=logits)
        prediction = model.decode(embedding, prompts)
        total = total + Objective()(prediction, coverage).mean() / len(steps)
        logits = at_least_single(prediction.logits.detach()).clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
    model.zero_grad()
    total.backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}, float(total)


def test_gradient_equals_the_joint_graphs(model: SamHQ) -> None:
    expected, loss = joint_gradient(model, seed=3)
    model.zero_grad()
    pixels, masks = batch()
    report = train_step(model, pixels, FRAME, masks, SCHEDULE, Objective(), np.random.default_rng(3))
    found = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    assert found.keys() == expected.keys()
    assert report.loss == pytest.approx(loss, rel=1e-9)
    scale = max(float(g.abs().max()) for g in expected.values())
    for name, grad in expected.items():
        assert torch.allclose(found[name], grad, rtol=1e-9, atol=1e-12 * scale), name


def test_report_counts_iterations_and_objects(model: SamHQ) -> None:
    pixels, masks = batch()
    model.zero_grad()
    report = train_step(model, pixels, FRAME, masks, SCHEDULE, Objective(), np.random.default_rng(3))
    assert len(report.dice_at_clicks) == SCHEDULE.iterations
    assert report.objects == 5
    assert all(0 <= dice <= 1 for dice in report.dice_at_clicks)


def test_encoder_output_gives_the_decoder_the_same_gradient(model: SamHQ) -> None:
    pixels, masks = batch()
    model.zero_grad()
    train_step(model, pixels, FRAME, masks, SCHEDULE, Objective(), np.random.default_rng(5))
    expected = {n: p.grad.clone() for n, p in model.mask_decoder.named_parameters() if p.grad is not None}
    with torch.no_grad():
        output = model.encoder_output(pixels, FRAME)
    model.zero_grad()
    train_step(model, output, FRAME, masks, SCHEDULE, Objective(), np.random.default_rng(5))
    assert all(p.grad is None for p in model.image_encoder.parameters())
    for name, grad in expected.items():
        assert torch.allclose(dict(model.mask_decoder.named_parameters())[name].grad, grad, rtol=1e-9, atol=1e-15)


def test_a_batch_without_objects_changes_nothing(model: SamHQ) -> None:
    pixels, _ = batch()
    model.zero_grad()
    empty = [torch.zeros(0, *FRAME.logits, dtype=torch.float64)] * 2
    report = train_step(model, pixels, FRAME, empty, SCHEDULE, Objective(), np.random.default_rng(0))
    assert report.objects == 0
    assert all(p.grad is None for p in model.parameters())


def test_an_object_thinner_than_a_logit_is_still_clicked() -> None:
    coverage = torch.zeros(1, *FRAME.logits)
    coverage[0, 5, 7] = 0.3
    prompts = first_prompts(coverage, None, FRAME, ClickSchedule(), np.random.default_rng(0))
    expected = FRAME.logit_points_to_frame(np.array([7.0, 5.0]))
    assert prompts.points[0, 0].tolist() == expected.tolist()


def test_loose_boxes_are_off_by_a_tenth_at_most() -> None:
    masks = np.zeros((2, 64, 64), bool)
    masks[0, 10:30, 20:25] = True
    masks[1, 40, 41] = True
    rng = np.random.default_rng(0)
    boxes = np.stack([loose_boxes(masks, rng) for _ in range(200)])  # (200, 2, 2, 2)
    tight = np.array([[[19.5, 9.5], [24.5, 29.5]], [[40.5, 39.5], [41.5, 40.5]]])
    off = np.abs(boxes - tight).max(axis=0)
    assert (off <= np.array([[[0.5, 2.0]] * 2, [[0.1, 0.1]] * 2]) + 1e-5).all()
    assert (off > np.array([[[0.45, 1.8]] * 2, [[0.09, 0.09]] * 2])).all()


def test_a_box_comes_first_in_its_share_of_the_steps() -> None:
    coverage = torch.zeros(2, *FRAME.logits)
    coverage[0, 4:9, 3:8] = 1
    coverage[1, 10:14, 10:13] = 1
    rng = np.random.default_rng(0)
    drawn = [first_prompts(coverage, None, FRAME, ClickSchedule(box_first=0.5), rng) for _ in range(100)]
    boxed = [prompts for prompts in drawn if prompts.boxes is not None]
    assert 30 < len(boxed) < 70
    for prompts in boxed:
        assert prompts.labels.tolist() == [[-1], [-1]]
        assert len(prompts.groups()) == 1
        inside = (prompts.points[:, 0] > prompts.boxes[:, :2]) & (prompts.points[:, 0] < prompts.boxes[:, 2:])
        assert inside.all()
    assert first_prompts(coverage, None, FRAME, ClickSchedule(), rng).boxes is None


def test_after_a_box_every_object_gets_a_click() -> None:
    """An object that needs no correction would otherwise stay without a click, and be of another form."""
    coverage = torch.zeros(2, *FRAME.logits)
    coverage[:, 4:9, 3:8] = 1
    prompts = first_prompts(coverage, None, FRAME, ClickSchedule(box_first=1), np.random.default_rng(0))
    predicted = coverage > 0.5
    predicted[0] = False
    clicks = correction_clicks(predicted.numpy(), (coverage > 0.5).numpy())
    after = corrected(prompts, clicks, torch.zeros(2, *FRAME.logits), FRAME)
    assert clicks.found.tolist() == [True, False]
    assert after.labels.tolist() == [[-1, 1], [-1, 1]]
    assert len(after.groups()) == 1


def test_boxes_train_the_tokens_of_their_corners(model: SamHQ) -> None:
    pixels, masks = batch()
    model.zero_grad()
    schedule = ClickSchedule(corrections=1, mask_only=0, box_first=1)
    train_step(model, pixels, FRAME, masks, schedule, Objective(), np.random.default_rng(0))
    corners = [role.weight.grad for role in model.prompt_encoder.point_embeddings[2:]]
    assert all(grad is not None and grad.abs().sum() > 0 for grad in corners)
