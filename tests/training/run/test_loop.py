"""The loop: what it optimises, what it keeps, when it stops."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from rich.console import Console
from safetensors.torch import load_file

from dentasam.errors import OutputError, RecipeError
from dentasam.model.adapters.folder import AdapterCard
from dentasam.model.adapters.loading import load_adapter
from dentasam.model.core.frame import Frame
from dentasam.model.core.prompt import Prompts
from dentasam.model.embedding import EncoderOutput
from dentasam.model.sam_hq import build_sam_hq
from dentasam.training.recipe.learning_rate import learning_rate, rate_at
from dentasam.training.recipe.sections import Optimiser
from dentasam.training.run import batch_gradient, distributed
from dentasam.training.run.loop import train as run_training
from dentasam.training.run.metrics_log import TensorBoard
from dentasam.training.run.optimiser import build_optimiser
from dentasam.training.run.progress_line import ProgressLine
from dentasam.training.run.training_run import TrainingRun
from dentasam.training.run.validation import click_curve, validation_samples
from dentasam.training.samples.sample import Sample
from dentasam.training.step.training_step import StepReport

from ..small_run import BASE, Ellipses, small_model, small_recipe, small_run


def rows(out: Path, kind: str) -> list[dict[str, Any]]:
    lines = (out / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["kind"] == kind]


def make_run(out: Path, *settings: str, name: str = "encoder+decoder") -> TrainingRun:
    torch.set_num_threads(1)
    return TrainingRun(
        small_model(),
        small_recipe(*settings, name=name),
        Ellipses(),
        None,
        out,
        BASE,
        Accelerator(cpu=True),
    )


def test_the_best_adapter_is_kept_and_has_the_score_that_was_measured(tmp_path: Path) -> None:
    result = small_run(tmp_path / "run", "validation.every_steps=2", "optimiser.lr=3e-3", "budget.steps=6")
    scores = {row["step"]: row["score"] for row in rows(tmp_path / "run", "validation")}
    assert list(scores) == [2, 4, 6]
    assert result.best_score == max(scores.values())
    assert scores[result.best_step] == result.best_score
    model = small_model().eval()
    card = load_adapter(model, tmp_path / "run" / "adapter", BASE.sha256)
    assert isinstance(card, AdapterCard)
    assert (card.base_model, card.scope, card.scores["step"]) == ("small", "encoder+decoder", result.best_step)
    recipe = small_recipe()

    @torch.no_grad()
    def encode(sample: Sample) -> EncoderOutput:
        assert sample.pixels is not None
        return model.encoder_output(sample.pixels, sample.frame)

    curve = click_curve(model, validation_samples(Ellipses(2, 4), recipe), 2, encode)
    assert curve.score == pytest.approx(result.best_score, abs=0.02)  # the adapter is kept in fp16


def test_it_learns(tmp_path: Path) -> None:
    settings = ("optimiser.lr=3e-3", "budget.steps=30", "checkpoint_every=100", "augmentation.rotation_deg=0")
    small_run(tmp_path / "run", *settings, validate=False)
    losses = [row["loss"] for row in rows(tmp_path / "run", "step")]
    assert np.mean(losses[-8:]) < 0.8 * np.mean(losses[:8])


def test_passes_weigh_objects_equally(tmp_path: Path) -> None:
    # the gradient of a batch does not depend on how many of its images go through the encoder at once
    gradients = []
    for at_once in (1, 3):
        settings = (
            f"images_at_once={at_once}",
            "batch_images=3",
            "crop.size=128",
            "objects_per_image=4",
            "windowed_objective=false",
            "schedule.random_share=0",
            "schedule.random_first=0",
            "schedule.mask_only=0",
            "schedule.corrections=2",
            "optimiser.clip_norm=null",
        )
        run = make_run(tmp_path, *settings)
        step = next(step for step in range(20) if len({len(s.masks) for s in run.samples[step]} - {0}) > 1)
        row = run.step(run.plan.at(step), run.samples[step], 0.0)
        # the bias of an attention's keys changes nothing, and has no gradient where an object alone absorbs it
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in run.parameters]
        gradients.append((row, torch.cat([part.flatten() for part in parts]).clone()))
    (one, first), (three, second) = gradients
    assert one["objects"] == three["objects"]
    assert one["loss"] == pytest.approx(three["loss"], rel=1e-4)
    assert float((first - second).norm() / first.norm()) < 1e-3


def test_scaling_gives_the_mean_over_all_objects() -> None:
    parameter = torch.nn.Parameter(torch.zeros(4, dtype=torch.float64))
    passes = [(3, torch.randn(4, dtype=torch.float64)) for _ in range(1)]
    passes += [(5, torch.randn(4, dtype=torch.float64)), (1, torch.randn(4, dtype=torch.float64))]
    objects = 0
    for count, gradient in passes:
        distributed.scale_gradients([parameter], objects / count if objects else 1.0)
        parameter.grad = gradient.clone() if parameter.grad is None else parameter.grad + gradient
        distributed.scale_gradients([parameter], count / (objects + count))
        objects += count
    expected = sum(count * gradient for count, gradient in passes) / 9
    torch.testing.assert_close(parameter.grad, expected)


def test_a_step_without_objects_changes_nothing(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    before = {name: tensor.clone() for name, tensor in run.tensors.items()}
    row = run.step(run.plan.at(0), [], 0.0)
    assert (row["objects"], row["loss"], row["gradient_norm"]) == (0, 0.0, None)
    assert all(torch.equal(tensor, before[name]) for name, tensor in run.tensors.items())


def test_frozen_encoder_is_run_once_an_image_and_variant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings: tuple[str, ...] = ("crop.share=0", "budget.steps=9", "validation.every_steps=9", "checkpoint_every=9")
    settings += ("schedule.corrections=0", "schedule.mask_only=0", "schedule.iterations=1")
    calls: list[int] = []
    model = small_model()
    plain = model.encoder_output

    def counted(pixels: torch.Tensor, frame: Any) -> EncoderOutput:
        calls.append(len(pixels))
        return plain(pixels, frame)

    monkeypatch.setattr(model, "encoder_output", counted)
    out = tmp_path / "run"
    torch.set_num_threads(1)
    run_training(
        model,
        small_recipe(*settings, name="hq"),
        Ellipses(3),
        None,
        out,
        BASE,
        accelerator=Accelerator(cpu=True),
        console=Console(quiet=True),
    )
    kept = list((out / "embeddings").glob("*/*.safetensors"))
    assert len(calls) == len(kept)
    assert 3 <= len(kept) <= 6  # 3 images, each plain or mirrored, over 6 epochs
    trained = torch.load(out / "last.pt", weights_only=True)["weights"]
    assert trained
    assert not any(name.startswith("image_encoder") for name in trained)


def test_scope_full_trains_every_parameter(tmp_path: Path) -> None:
    run = make_run(tmp_path, "scope=full")
    assert run.tensors.keys() == dict(small_model().named_parameters()).keys()
    running = make_run(tmp_path, "scope=full", "batch_norm=running")
    assert running.tensors.keys() == small_model().state_dict().keys()


def test_training_the_choices_alone_changes_no_other_mask(tmp_path: Path) -> None:
    """Of the model, the hypernetworks of the three masks and the scores train; the single mask stays bit for bit."""
    settings = ("scope=full", "choices_only=true", "schedule.multimask_share=1", "optimiser.lr=1e-2")
    run = make_run(tmp_path, *settings, "batch_norm=running")
    heads = {name.split(".layers")[0] for name in run.tensors}
    mlps = {f"mask_decoder.output_hypernetworks_mlps.{index}" for index in (1, 2, 3)}
    assert heads == mlps | {"mask_decoder.iou_prediction_head"}
    model, frame = run.model, Frame.of(64, 1024)
    pixels = torch.randn(1, 3, *frame.padded, generator=torch.Generator().manual_seed(0))
    prompts = Prompts(torch.tensor([[[200.0, 30.0]]]), torch.tensor([[1]]))

    def masks() -> tuple[torch.Tensor, torch.Tensor]:
        model.eval()
        with torch.no_grad():
            embedding = model.encode(pixels, frame)
            return model.decode(embedding, prompts).logits, model.decode_choices(embedding, prompts).logits

    single, choices = masks()
    plan = run.plan.at(0)
    run.step(plan, run.samples[0], 0.0)
    after, others = masks()
    assert torch.equal(single, after)
    assert not torch.equal(choices, others)


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("scope=hq", "choices_only is for scopes with the decoder, not hq"),
        ("schedule.multimask_share=0", "choices_only needs multimask_share and objective.iou above 0"),
        ("objective.iou=0", "choices_only needs multimask_share and objective.iou above 0"),
        ("cache.dir=kept", "choices_only needs cache.dir null"),
    ],
)
def test_what_training_the_choices_alone_needs(setting: str, reason: str) -> None:
    still = ("augmentation.rotation_deg=0", "augmentation.scale=0", "augmentation.exposure=0", "crop.share=0")
    with pytest.raises(RecipeError, match=reason):
        small_recipe("choices_only=true", "schedule.multimask_share=0.5", *still, setting)


def test_the_last_choices_are_kept_although_the_validation_of_the_single_mask_stays(tmp_path: Path) -> None:
    settings = ("choices_only=true", "schedule.multimask_share=1", "validation.patience=1", "budget.steps=7")
    small_run(tmp_path, *settings)
    assert [row["step"] for row in rows(tmp_path, "validation")] == [3, 6, 7]
    last = torch.load(tmp_path / "last.pt", weights_only=True)["weights"]
    kept = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    (name,) = [name for name in last if name.endswith("output_hypernetworks_mlps.3.layers.2.lora_B.default.weight")]
    (other,) = [name for name in kept if name.endswith("output_hypernetworks_mlps.3.layers.2.lora_B.weight")]
    assert torch.allclose(last[name].half(), kept[other].half())
    assert last[name].abs().max() > 0


@pytest.mark.parametrize("windows", [0.0, 1.0])
def test_the_step_is_told_which_objects_are_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, windows: float
) -> None:
    told: list[list[bool]] = []

    def watched(*arguments: Any, **named: Any) -> StepReport:
        told.append(named["parts"])
        return StepReport(0.0, [1.0, 1.0], 1)

    monkeypatch.setattr(batch_gradient, "train_step", watched)
    monkeypatch.setattr(batch_gradient, "is_part", lambda category: category == "filling")
    run = make_run(tmp_path, f"object_windows.share={windows}", "object_windows.objects_per_image=2", "crop.share=0")
    first, second = (replace(sample, categories=("11", "filling")) for sample in run.samples[0])
    run.step(run.plan.at(0), [first, second], 0.0)
    assert [part for parts in told for part in parts] == [False, True, False, True]


def test_stages_follow_each_other_with_their_own_schedule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = "{steps: 1, window: %d, batch_images: 1, objects_per_image: 1, corrections: %d, batch_norm: %s}"
    stages = f"stages=[{stage % (64, 1, 'running')}, {stage % (96, 3, 'frozen')}]"
    run = make_run(tmp_path, "scope=full", stages)
    seen = []

    def step(_: object, pixels: torch.Tensor, *arguments: Any, parts: list[bool]) -> StepReport:
        schedule = arguments[2].schedule
        seen.append((tuple(pixels.shape[-2:]), schedule.corrections))
        return StepReport(1.0, [0.5] * schedule.iterations, 1)

    monkeypatch.setattr(batch_gradient, "train_step", step)
    for index in range(run.plan.total_steps):
        run.step(run.plan.at(index), run.samples[index], 0.0)
    assert seen == [((64, 64), 1), ((96, 96), 3)]
    assert run.tensors.keys() == small_model().state_dict().keys()  # statistics too: a stage lets them run


def test_patience_counts_validations_without_gain(tmp_path: Path) -> None:
    settings = (
        "optimiser.lr=1e-12",  # nothing changes, so no validation after the first gains
        "crop.share=0",
        "objects_per_image=1",
        "batch_images=1",
        "schedule.corrections=0",
        "schedule.mask_only=0",
        "schedule.iterations=1",
        "validation.every_steps=1",
        "validation.patience=2",
    )
    result = small_run(tmp_path / "run", *settings)
    assert (result.ended_by, result.steps, result.best_step) == ("patience", 3, 1)
    again = small_run(tmp_path / "run", *settings, resume=True)
    assert (again.ended_by, again.steps) == ("patience", 3)


def test_minutes_end_the_run_with_a_checkpoint(tmp_path: Path) -> None:
    result = small_run(tmp_path / "run", "budget.steps=100000", "budget.minutes=0.02", validate=False)
    assert result.ended_by == "minutes"
    assert 1 <= result.steps < 1000
    progressed = torch.load(tmp_path / "run" / "last.pt", weights_only=True)["progressed"]
    assert progressed["step"] == result.steps
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").exists()


def test_loss_that_is_not_finite(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with torch.no_grad():
        run.parameters[0].fill_(math.nan)
    with pytest.raises(RecipeError, match=r"not finite at step 1; lower optimiser\.lr"):
        run.step(run.plan.at(0), run.samples[0], 0.0)


def test_learning_rate() -> None:
    settings = Optimiser(lr=2.0, warmup_steps=4)
    assert [learning_rate(settings, step, 14) for step in range(4)] == [0.5, 1.0, 1.5, 2.0]
    assert learning_rate(settings, 4, 14) == 2.0
    assert learning_rate(settings, 9, 14) == pytest.approx(1.0)
    assert learning_rate(settings, 14, 14) == pytest.approx(0.0)
    assert learning_rate(settings, 5, 14, minutes=3, limit=4) == pytest.approx(1 + math.cos(math.pi * 0.75))
    assert learning_rate(settings, 13, 14, minutes=0, limit=4) == learning_rate(settings, 13, 14)
    assert learning_rate(Optimiser(lr=2.0, warmup_steps=4, cosine=False), 13, 14) == 2.0


def test_rate_of_stages() -> None:
    stage = "steps: 10, window: 64, batch_images: 1, objects_per_image: 1, corrections: 0"
    settings = ("scope=full", "optimiser.lr=2.0", "optimiser.warmup_steps=4")
    stages = f"stages=[{{{stage}, lr_end: 1.0}}, {{{stage}}}, {{{stage}, lr_end: 0}}]"
    recipe = small_recipe(*settings, stages)
    rates = [rate_at(recipe, step, 30, 0.0) for step in range(30)]
    assert rates[0] == 2.0 / 4
    assert rates[5] == pytest.approx(1.5)
    assert rates[10:20] == [1.0] * 10
    assert rates[25] == pytest.approx(0.5)
    assert rates[29] == pytest.approx(0.5 * (1 + math.cos(math.pi * 0.9)))
    plain = small_recipe(*settings, f"stages=[{{{stage}}}, {{{stage}}}]")
    assert rate_at(plain, 15, 20, 0.0) == learning_rate(plain.optimiser, 15, 20)


def test_muon_of_a_recipe() -> None:
    parameters = [torch.nn.Parameter(torch.zeros(32, 32)), torch.nn.Parameter(torch.zeros(32))]
    optimiser = build_optimiser(parameters, Optimiser(name="muon", lr=0.5, weight_decay=0.1), torch.bfloat16)
    assert [(group["matrices"], group["weight_decay"]) for group in optimiser.param_groups] == [
        (True, 0.1),
        (False, 0.0),
    ]
    assert {group["lr"] for group in optimiser.param_groups} == {0.5}


def test_norms_and_biases_are_not_decayed(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    decayed, plain = run.optimiser.param_groups
    assert all(parameter.ndim > 1 for parameter in decayed["params"])
    assert all(parameter.ndim <= 1 for parameter in plain["params"])
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.01, 0.0)
    assert len(decayed["params"]) + len(plain["params"]) == len(run.parameters)


def test_progress_line_has_speed_loss_dice_and_time_left() -> None:
    shown = ProgressLine(100, 0, None, Console(quiet=True))
    for step in range(1, 5):
        shown.step(step, 2, 0.5, 0.25, 0.75, float(step))
    line = shown.line(4, 4.0)
    assert "images/s" in line
    assert "loss 0.5000  Dice@1 0.250  Dice@last 0.750" in line
    assert line.endswith(" left")
    limited = ProgressLine(10**9, 0, 2.0, Console(quiet=True))
    limited.step(1, 2, 0.5, 0.25, 0.75, 60.0)
    assert limited.line(1, 60.0).endswith("1:00 left") or limited.line(1, 60.0).endswith("0:59 left")


def test_tensorboard_gets_the_metrics(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = TensorBoard(tmp_path)
    board.write({"kind": "step", "step": 3, "loss": 0.5, "gradient_norm": None})
    board.write({"kind": "validation", "step": 3, "score": 0.7, "dice_at_clicks": [0.6, 0.8]})
    board.close()
    events = accumulator.EventAccumulator(str(tmp_path))
    events.Reload()
    read = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    assert read["step/loss"] == [(3, 0.5)]
    assert read["validation/score"] == [(3, pytest.approx(0.7))]
    assert read["validation/dice_at_2"] == [(3, pytest.approx(0.8))]
    assert "step/gradient_norm" not in read


def test_tensorboard_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(OutputError, match=r"pip install 'dentasam\[tracking\]'"):
        TensorBoard(tmp_path)


def test_recomputing_a_vits_blocks_changes_nothing_that_is_learnt(tmp_path: Path) -> None:
    steps = ("budget.steps=2", "recompute_encoder=")
    for value in ("false", "true"):
        small_run(tmp_path / value, steps[0], steps[1] + value, validate=False)
    kept, again = (load_file(tmp_path / value / "adapter/adapter_model.safetensors") for value in ("false", "true"))
    assert kept.keys() == again.keys()
    for name, tensor in kept.items():
        torch.testing.assert_close(again[name], tensor, rtol=1e-4, atol=1e-5)


def test_another_encoder_has_no_blocks_to_recompute(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="ViT-B, ViT-L and ViT-H; leave it false for small"):
        run_training(
            build_sam_hq("vit_tiny"),
            small_recipe("recompute_encoder=true"),
            Ellipses(),
            None,
            tmp_path / "run",
            BASE,
            accelerator=Accelerator(cpu=True),
            console=Console(quiet=True),
        )
