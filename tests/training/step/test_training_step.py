from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from dentasam.model.core.frame import Frame
from dentasam.model.core.prompt import LOGIT_LIMIT
from dentasam.model.sam_hq import SamHQ, build_sam_hq
from dentasam.prompts.click_schedule import ClickSchedule
from dentasam.prompts.correction_clicks import correction_clicks
from dentasam.training.step import training_step as step_module
from dentasam.training.step.click_terms import Clicked, ClickTerms
from dentasam.training.step.click_through import click_through, corrected
from dentasam.training.step.finished_objects import FinishedObjects
from dentasam.training.step.first_prompts import first_prompts, loose_boxes
from dentasam.training.step.loss import MaskLoss, at_least_single, hard_dice
from dentasam.training.step.object_memory import trained_object_bytes
from dentasam.training.step.step_settings import StepSettings
from dentasam.training.step.training_step import StepReport, train_step

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
    draws = rng.random((len(steps), 3, len(truth)))
    for step, drawn in zip(steps, draws, strict=True):
        if step == "correction":
            assert logits is not None
            prompts = corrected(prompts, correction_clicks((logits > 0).numpy(), truth, drawn[0]), logits, FRAME)
        elif step == "mask":
            prompts = replace(prompts, logits=logits)
        prediction = model.decode(embedding, prompts)
        total = total + MaskLoss()(prediction, coverage).mean() / len(steps)
        logits = at_least_single(prediction.logits.detach()).clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
    model.zero_grad()
    total.backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}, float(total)


def test_gradient_equals_the_joint_graphs(model: SamHQ) -> None:
    expected, loss = joint_gradient(model, seed=3)
    model.zero_grad()
    pixels, masks = batch()
    report = train_step(model, pixels, FRAME, masks, StepSettings(SCHEDULE), np.random.default_rng(3))
    found = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    assert found.keys() == expected.keys()
    assert report.loss == pytest.approx(loss, rel=1e-9)
    scale = max(float(g.abs().max()) for g in expected.values())
    for name, grad in expected.items():
        assert torch.allclose(found[name], grad, rtol=1e-9, atol=1e-12 * scale), name


def test_report_counts_iterations_and_objects(model: SamHQ) -> None:
    pixels, masks = batch()
    model.zero_grad()
    report = train_step(model, pixels, FRAME, masks, StepSettings(SCHEDULE), np.random.default_rng(3))
    assert len(report.dice_at_clicks) == SCHEDULE.iterations
    assert report.objects == 5
    assert all(0 <= dice <= 1 for dice in report.dice_at_clicks)


def test_encoder_output_gives_the_decoder_the_same_gradient(model: SamHQ) -> None:
    pixels, masks = batch()
    model.zero_grad()
    train_step(model, pixels, FRAME, masks, StepSettings(SCHEDULE), np.random.default_rng(5))
    expected = {n: p.grad.clone() for n, p in model.mask_decoder.named_parameters() if p.grad is not None}
    with torch.no_grad():
        output = model.encoder_output(pixels, FRAME)
    model.zero_grad()
    train_step(model, output, FRAME, masks, StepSettings(SCHEDULE), np.random.default_rng(5))
    assert all(p.grad is None for p in model.image_encoder.parameters())
    for name, grad in expected.items():
        found = dict(model.mask_decoder.named_parameters())[name].grad
        assert found is not None
        assert torch.allclose(found, grad, rtol=1e-9, atol=1e-15)


def test_a_batch_without_objects_changes_nothing(model: SamHQ) -> None:
    pixels, _ = batch()
    model.zero_grad()
    empty = [torch.zeros(0, *FRAME.logits, dtype=torch.float64)] * 2
    report = train_step(model, pixels, FRAME, empty, StepSettings(SCHEDULE), np.random.default_rng(0))
    assert report.objects == 0
    assert all(p.grad is None for p in model.parameters())


def test_an_object_thinner_than_a_logit_is_still_clicked() -> None:
    coverage = torch.zeros(1, *FRAME.logits)
    coverage[0, 5, 7] = 0.3
    prompts = first_prompts(coverage, None, FRAME, ClickSchedule(), np.random.default_rng(0))
    expected = FRAME.logit_points_to_frame(np.array([7.0, 5.0]))
    assert prompts.points[0, 0].tolist() == expected.tolist()


def test_loose_boxes_are_off_by_a_tenth_at_most() -> None:
    masks = torch.zeros(2, 64, 64, dtype=torch.bool)
    masks[0, 10:30, 20:25] = True
    masks[1, 40, 41] = True
    rng = np.random.default_rng(0)
    boxes = np.stack([loose_boxes(masks, rng).numpy() for _ in range(200)])  # (200, 2, 2, 2)
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
        assert prompts.boxes is not None
        inside = (prompts.points[:, 0] > prompts.boxes[:, :2]) & (prompts.points[:, 0] < prompts.boxes[:, 2:])
        assert inside.all()
    assert first_prompts(coverage, None, FRAME, ClickSchedule(), rng).boxes is None


def test_after_a_box_every_object_gets_a_click() -> None:
    """An object that needs no correction would otherwise stay without a click, and have another layout."""
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
    train_step(model, pixels, FRAME, masks, StepSettings(schedule), np.random.default_rng(0))
    corners = [role.get_parameter("weight").grad for role in model.prompt_encoder.point_embeddings[2:]]
    assert all(grad is not None and grad.abs().sum() > 0 for grad in corners)


def gradients(model: SamHQ, schedule: ClickSchedule, **settings: Any) -> tuple[StepReport, dict[str, torch.Tensor]]:
    model.zero_grad()
    pixels, masks = batch()
    report = train_step(model, pixels, FRAME, masks, StepSettings(schedule, **settings), np.random.default_rng(3))
    return report, {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def assert_alike(
    found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], rtol: float = 1e-9, atol: float = 1e-12
) -> None:
    assert found.keys() == expected.keys()
    scale = max(float(g.abs().max()) for g in expected.values())
    for name, grad in expected.items():
        assert torch.allclose(found[name], grad, rtol=rtol, atol=atol * scale), name


@pytest.mark.parametrize("windows", [False, True])
@pytest.mark.parametrize(("random_share", "multimask"), [(0.0, 0.0), (0.5, 1.0), (1.0, 0.0)])
def test_chunks_of_objects_change_memory_alone(
    model: SamHQ, monkeypatch: pytest.MonkeyPatch, windows: bool, random_share: float, multimask: float
) -> None:
    monkeypatch.setattr(
        "dentasam.training.step.step_objects.MAX_WINDOW_SHARE", 9.0
    )  # windows even in a frame as small as this
    schedule = replace(SCHEDULE, random_share=random_share, multimask_share=multimask)
    terms = ClickTerms(1.0, 0.5)
    whole, expected = gradients(model, schedule, windowed_loss=windows, click_terms=terms)
    sizes = []
    attend = model.attend

    def counted(embedding: Any, prompts: Any) -> Any:
        sizes.append(len(prompts))
        return attend(embedding, prompts)

    monkeypatch.setattr(model, "attend", counted)
    monkeypatch.setattr("dentasam.training.step.training_step.trained_object_bytes", lambda *_: 100)
    report, found = gradients(model, schedule, windowed_loss=windows, decode_bytes=250, click_terms=terms)
    assert sizes == [2] * 6 + [2] * 6 + [1] * 6  # chunk after chunk, each through the whole schedule
    # positions are single precision, whose sines end in another bit at another place of a batch
    assert_alike(found, expected, rtol=1e-5, atol=1e-7)
    assert report.loss == pytest.approx(whole.loss, rel=1e-6)
    assert report.dice_at_clicks == pytest.approx(whole.dice_at_clicks, rel=1e-6)


@pytest.mark.parametrize(("budget", "largest"), [(None, 5), (10**12, 5), (1, 1)])
def test_chunk_follows_the_budget(
    model: SamHQ, monkeypatch: pytest.MonkeyPatch, budget: int | None, largest: int
) -> None:
    each = trained_object_bytes(FRAME, None, 1, torch.float64, ClickTerms())
    sizes = []
    attend = model.attend
    monkeypatch.setattr(model, "attend", lambda leaf, prompts: (sizes.append(len(prompts)), attend(leaf, prompts))[1])
    schedule = ClickSchedule(0, 0)
    gradients(model, schedule, decode_bytes=budget)
    assert max(sizes) == largest
    sizes.clear()
    gradients(model, schedule, decode_bytes=3 * each)
    assert sizes == [3, 2]


def test_a_done_object_leaves_with_its_last_result(model: SamHQ, monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects 1 and 3 of 5 are done after the second iteration, all others after the fourth."""
    schedule = ClickSchedule(corrections=4, mask_only=1, random_share=0.0, done_dice=0.9)
    sizes, losses = [], []
    attend, backward = model.attend, torch.Tensor.backward
    coverage = torch.cat(batch()[1])
    monkeypatch.setattr(model, "attend", lambda leaf, prompts: (sizes.append(len(prompts)), attend(leaf, prompts))[1])
    monkeypatch.setattr(
        torch.Tensor, "backward", lambda loss, *rest, **named: (losses.append(float(loss)), backward(loss, *rest))[1]
    )

    def dice(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        index = torch.tensor([next(i for i, one in enumerate(coverage) if torch.equal(one, own)) for own in truth])
        reached = torch.tensor([0.5, 0.95, 0.5, 0.9, 0.5]) if len(sizes) == 2 else torch.full((5,), 0.25)
        return (reached if len(sizes) < 4 else torch.full((5,), 1.0))[index]

    monkeypatch.setattr("dentasam.training.step.click_through.hard_dice", dice)
    report, _ = gradients(model, schedule)
    assert sizes == [5, 5, 3, 3]
    after_two = 0.95 + 0.9
    expected = [1.25, 1.5 + after_two, 0.75 + after_two, 3 + after_two, 3 + after_two, 3 + after_two]
    assert report.dice_at_clicks == pytest.approx([total / 5 for total in expected])
    # the losses that went backward are all but the constants; those are counted with the last of each object
    _, alone = done_losses(model, schedule)
    assert sum(losses[:4]) < report.loss
    assert report.loss == pytest.approx(alone, rel=1e-9)


def test_the_terms_of_the_clicks_see_each_mask_and_the_one_before(
    model: SamHQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step's loss has the terms of every iteration, with its clicks so far and where the last mask was wrong."""
    schedule = ClickSchedule(corrections=2, mask_only=1, random_share=0.5, done_dice=None)
    truth = torch.cat(batch()[1]) > 0.5
    seen: list[tuple[torch.Tensor, Clicked]] = []

    class Recorded(ClickTerms):
        def __call__(self, logits: torch.Tensor, coverage: torch.Tensor, clicked: Clicked) -> torch.Tensor:
            seen.append((logits.detach(), clicked))
            return super().__call__(logits, coverage, clicked)

    plain, _ = gradients(model, schedule)
    with_terms, _ = gradients(model, schedule, click_terms=Recorded(1.0, 0.5))
    assert seen[0][1].wrong is None
    expected = []
    for index, (logits, clicked) in enumerate(seen):
        if index:
            assert clicked.wrong is not None
            assert torch.equal(clicked.wrong, (seen[index - 1][0] > 0) != truth)
        x, y = clicked.points.round().long().unbind(dim=-1)
        assert torch.equal(clicked.labels > 0, truth[torch.arange(5)[:, None], y, x])
        expected.append(ClickTerms(1.0, 0.5)(logits, truth.double(), clicked).mean())
    assert with_terms.loss == pytest.approx(plain.loss + float(torch.stack(expected).mean()), rel=1e-9)


def done_losses(model: SamHQ, schedule: ClickSchedule) -> tuple[list[torch.Tensor], float]:
    """The mean loss where objects 1 and 3 keep the loss of iteration 2, and the others that of iteration 4."""
    kept: list[torch.Tensor] = []

    def recorded(prediction: Any, coverage: torch.Tensor) -> torch.Tensor:
        each = MaskLoss()(prediction, coverage)
        kept.append(each.detach())
        return each

    pixels, masks = batch()
    model.zero_grad()
    schedule = replace(schedule, done_dice=None)
    settings = StepSettings(schedule, recorded)  # type: ignore[arg-type]
    train_step(model, pixels, FRAME, masks, settings, np.random.default_rng(3))
    losses = torch.stack(kept)  # (6, 5)
    losses[2:, [1, 3]] = losses[1, [1, 3]]
    losses[4:] = losses[3]
    return kept, float(losses.mean())


def test_the_gradient_of_a_done_object_ends_with_its_last_click(
    model: SamHQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all are done after the second of four iterations, it is that of two iterations at half the weight."""
    long, short = (ClickSchedule(corrections=n, mask_only=0, random_share=0.0) for n in (3, 1))
    _, expected = gradients(model, short)
    calls = []

    def dice(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return torch.full((len(truth),), float(len(calls) == 2))

    monkeypatch.setattr("dentasam.training.step.click_through.hard_dice", dice)
    report, found = gradients(model, long)
    assert report.dice_at_clicks == [0, 1, 1, 1]
    assert_alike(found, {name: grad / 2 for name, grad in expected.items()})


def test_a_perfect_mask_is_done_and_no_other(model: SamHQ) -> None:
    logits = torch.tensor([[[5.0, -5.0], [5.0, -5.0]], [[5.0, -5.0], [-5.0, -5.0]]])
    truth = torch.tensor([[[1.0, 0.0], [1.0, 0.4]]] * 2)
    reached = hard_dice(logits, truth)
    losses = torch.tensor([0.5, 2.0])
    assert list(FinishedObjects(1.0, leave=True).after(losses, reached)[0]) == [1]
    assert list(FinishedObjects(0.6, leave=True).after(losses, reached)[0]) == []
    assert list(FinishedObjects(None, leave=True).after(losses, reached)[0]) == [0, 1]
    large = torch.full((1, 256, 256), 5.0)  # one wrong pixel of the largest frame is not perfect
    large[0, 7, 9] = -5.0
    assert list(FinishedObjects(1.0, leave=True).after(losses[:1], hard_dice(large, torch.ones_like(large)))[0]) == [
        0
    ]


@pytest.mark.parametrize("leave", [True, False])
def test_done_objects_count_with_what_they_had(leave: bool) -> None:
    """Three objects, the first of which is done after the first iteration and the last after the second."""
    done = FinishedObjects(0.9, leave)
    losses, dice = torch.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0], [0, 64.0, 0]]), torch.full((3, 3), 0.5)
    dice[0, 0], dice[1, 2] = 0.9, 1.0
    dice[1, 0], dice[2, 0] = 0.1, 0.2  # what became of it later does not matter
    there, sums = [0, 1, 2], []
    for loss, reached in zip(losses, dice, strict=True):
        going, summed = done.after(loss[there], reached[there])
        sums.append(summed)
        there = [there[index] for index in going]
    assert there == ([1] if leave else [0, 1, 2])
    expected = [[7.0, 1.9], [1 + 16 + 32.0, 0.9 + 0.5 + 1.0], [1 + 64 + 32.0, 0.9 + 0.5 + 1.0]]
    torch.testing.assert_close(torch.stack(sums), torch.tensor(expected))
    if not leave:
        assert done.counted(torch.tensor([3.0, 5.0, 7.0])).tolist() == [0.0, 5.0, 0.0]


DEVICE_ASKED = (
    "prompts.tensor_correction_clicks",
    "training.step.click_through",
    "training.step.step_objects",
    "training.step.windowed_loss",
)


def as_on_a_gpu(patch: pytest.MonkeyPatch) -> None:
    """Take the ways that are taken on a CUDA device."""
    for place in DEVICE_ASKED:
        patch.setattr(f"dentasam.{place}.on_device", lambda device: True)


@pytest.mark.parametrize("windows", [False, True])
@pytest.mark.parametrize(("random_share", "multimask"), [(0.0, 0.0), (0.5, 1.0), (1.0, 0.0)])
def test_a_step_on_a_gpu_takes_the_same_clicks(
    model: SamHQ, monkeypatch: pytest.MonkeyPatch, windows: bool, random_share: float, multimask: float
) -> None:
    """And has the same gradient, with windows that are gathered, and objects that are done staying in the batch."""
    monkeypatch.setattr("dentasam.training.step.step_objects.MAX_WINDOW_SHARE", 9.0)
    monkeypatch.setattr("dentasam.training.step.windowed_loss.can_upscale_sparsely", lambda decoder: False)
    schedule = replace(SCHEDULE, random_share=random_share, multimask_share=multimask, done_dice=0.9)
    schedule = replace(schedule, box_first=0.0 if multimask else 0.5)
    coverage = torch.cat(batch()[1])

    def dice(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        index = [next(i for i, one in enumerate(coverage) if torch.equal(one, own)) for own in truth]
        return torch.tensor([0.5, 0.95, 0.5, 0.9, 0.5])[index]

    monkeypatch.setattr("dentasam.training.step.click_through.hard_dice", dice)
    sizes = []
    attend = model.attend
    with monkeypatch.context() as patch:
        patch.setattr(model, "attend", lambda leaf, prompts: (sizes.append(len(prompts)), attend(leaf, prompts))[1])
        whole, expected = gradients(model, schedule, windowed_loss=windows, click_terms=ClickTerms(1.0, 0.5))
    assert sizes == [5, *[3] * (SCHEDULE.iterations - 1)]
    as_on_a_gpu(monkeypatch)
    report, found = gradients(model, schedule, windowed_loss=windows, click_terms=ClickTerms(1.0, 0.5))
    assert_alike(found, expected, rtol=1e-5, atol=1e-7)
    assert report.loss == pytest.approx(whole.loss, rel=1e-6)
    assert report.dice_at_clicks == pytest.approx(whole.dice_at_clicks, rel=1e-6)


class NoWaits(TorchDispatchMode):
    """Fails where an operator gives numbers, or shapes that depend on them, to the host."""

    WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim", "equal")

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        name = function.__name__.split(".")[0]
        masked = name.startswith("index") and any(
            isinstance(each, torch.Tensor) and each.dtype in (torch.bool, torch.uint8) for each in args[1] or ()
        )
        assert name not in self.WAITS, name
        assert not masked, f"{name} with a mask"
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("windows", [False, True])
def test_no_click_waits_for_a_gpu(model: SamHQ, monkeypatch: pytest.MonkeyPatch, windows: bool) -> None:
    """From the first click of an object to its last backward, the host only ever tells the device."""
    monkeypatch.setattr("dentasam.training.step.step_objects.MAX_WINDOW_SHARE", 9.0)
    as_on_a_gpu(monkeypatch)
    asked: list[int] = []

    def watched(*arguments: Any) -> torch.Tensor:
        with monkeypatch.context() as patch, NoWaits():
            for name in ("cpu", "numpy", "tolist", "item", "__bool__", "__int__", "__float__", "__index__"):
                patch.setattr(torch.Tensor, name, lambda *_, name=name: pytest.fail(f"{name} waits"), raising=False)
            asked.append(len(arguments[3]))
            return click_through(*arguments)

    monkeypatch.setattr(step_module, "click_through", watched)
    pixels, masks = batch()
    for box_first, multimask in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)):
        schedule = replace(SCHEDULE, box_first=box_first, multimask_share=multimask)
        rng = np.random.default_rng(3)
        settings = StepSettings(schedule, windowed_loss=windows, click_terms=ClickTerms(1.0, 0.5))
        train_step(model, pixels[:1], FRAME, masks[:1], settings, rng)
    assert asked == [3, 3, 3]


def test_what_counts_as_a_wait() -> None:
    """Guards the test above."""
    mask = torch.tensor([True, False])
    for waits in (mask.sum().item, mask.nonzero, lambda: mask[mask], lambda: bool(mask.any())):
        with pytest.raises(AssertionError), NoWaits():
            waits()
