"""Adapters of the encoder's last blocks, and the cache of what comes before: less work, the same training."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from rich.console import Console

from dentasam.model.adapters.loading import load_adapter
from dentasam.model.adapters.lora import LoraSettings, add_lora, first_adapted
from dentasam.model.adapters.trainable import freeze_statistics, trainable_parameters
from dentasam.model.core.frame import Frame
from dentasam.model.embedding import EncoderPrefix
from dentasam.model.encoder.vit import ImageEncoderViT
from dentasam.model.sam_hq import SamHQ, build_sam_hq
from dentasam.training.run.loop import train as run_training
from dentasam.training.run.training_run import TrainingRun

from ..small_run import BASE, Ellipses, small_recipe

FRAME = Frame(64, 96, 1.0, 4, 6, top=9, left=31)
SETTINGS = (
    *("crop.share=0", "augmentation.flip=0.5", "validation.every_steps=4", "checkpoint_every=4", "budget.steps=4"),
    *(f"augmentation.{name}=0" for name in ("rotation_deg", "scale", "exposure")),
    *("objects_per_image=3", "windowed_objective=false", "optimiser.clip_norm=null"),
)


def small_vit() -> SamHQ:
    torch.manual_seed(7)
    return SamHQ(ImageEncoderViT(32, 3, 2, (0,)), 32)


def tiny() -> SamHQ:
    torch.manual_seed(0)
    return build_sam_hq("vit_tiny")


@pytest.mark.parametrize(("build", "parts", "at"), [(small_vit, 3, 0), (tiny, 4, 1)])
def test_the_halves_of_an_encoder_make_the_whole(build: Any, parts: int, at: int) -> None:
    model = build().eval()
    pixels = torch.randn(2, 3, *FRAME.padded)
    with torch.no_grad():
        whole = model.encoder_output(pixels, FRAME)
        for stop in range(parts + 1):
            prefix = model.encoder_prefix(pixels, FRAME, stop)
            assert (prefix.intermediate is None) == (stop <= at + 1)
            again = model.encoder_rest(prefix)
            assert torch.equal(again.features, whole.features)
            assert torch.equal(again.intermediate, whole.intermediate)


@pytest.mark.parametrize(("build", "last", "first", "parts"), [(small_vit, 2, 1, "blocks"), (tiny, 1, 3, "layers")])
def test_only_the_last_blocks_are_adapted(build: Any, last: int, first: int, parts: str) -> None:
    model = build()
    assert first_adapted(model.image_encoder, last) == first
    assert first_adapted(model.image_encoder, 99) == 0
    add_lora(model, LoraSettings("encoder+decoder", rank=2, encoder_last=last))
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    inside = {name for name in trained if name.startswith("image_encoder.")}
    allowed = ("image_encoder.neck.", *(f"image_encoder.{parts}.{index}." for index in range(first, 9)))
    assert all(name.startswith(allowed) for name in inside)
    assert {start for start in allowed for name in inside if name.startswith(start)} == set(allowed[: 1 + last])
    assert any(name.startswith("mask_decoder.") for name in trained)
    model.train()
    freeze_statistics(model)
    pixels = torch.randn(1, 3, *FRAME.padded)
    before = model.encoder_prefix(pixels, FRAME, first)
    assert not before.tokens.requires_grad
    with torch.no_grad():
        for parameter in trainable_parameters(model):
            parameter.add_(0.1)
    assert torch.equal(model.encoder_prefix(pixels, FRAME, first).tokens, before.tokens)
    assert model.encoder_output(pixels, FRAME).features.requires_grad


def run_of(out: Path, last: int, cached: bool) -> TrainingRun:
    torch.set_num_threads(1)
    settings = (f"lora.encoder_last={last}", *(("cache.dir=kept",) if cached else ()))
    recipe = small_recipe(*SETTINGS, *settings)
    run = TrainingRun(small_vit(), recipe, Named(), None, out, BASE, Accelerator(cpu=True))
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in run.parameters:  # a fresh adapter changes nothing and gives A no gradient
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    run.optimiser.step = lambda: None  # type: ignore[assignment, method-assign]
    return run


class Named(Ellipses):
    """Images that have a hash, as files do."""

    def case(self, index: int, epoch: int = 0) -> Any:
        case = super().case(index, epoch)
        return type(case)(case.frame, case.gray, case.coverages, case.categories, f"{index} of {self.ellipses}")


def gradient(run: TrainingRun) -> tuple[float, torch.Tensor]:
    """Of the first step, whichever way its samples come."""
    run.progress.step = 0
    loss = run.step(run.plan.at(0), run.samples[0], 0.0)["loss"]
    return loss, torch.cat([p.grad.flatten() for p in run.parameters if p.grad is not None])


@pytest.mark.parametrize("last", [1, 2])  # the intermediate map is stored too, or is what is stored
def test_loss_and_gradient_are_those_without_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    plain_loss, plain = gradient(run_of(tmp_path / "plain", last, cached=False))
    assert plain.abs().max() > 0
    cached = run_of(tmp_path / "cached", last, cached=True)
    (loss, first), (again, second) = gradient(cached), gradient(cached)
    assert isinstance(cached.samples[0][0].output, EncoderPrefix)
    assert cached.samples[0][0].pixels is None
    assert loss == again
    assert torch.equal(first, second)  # stored and loaded are the same
    assert loss == pytest.approx(plain_loss, rel=1e-3)  # the cache keeps half precision ...
    assert float((first - plain).norm() / plain.norm()) < 1e-2
    monkeypatch.setattr(
        "dentasam.training.samples.embedding_cache.in_half_precision", lambda tensor: tensor.detach().contiguous()
    )
    exact_loss, exact = gradient(run_of(tmp_path / "single", last, cached=True))
    assert exact_loss == pytest.approx(plain_loss, rel=1e-6)  # ... and changes nothing else
    assert float((exact - plain).norm() / plain.norm()) < 1e-5


def test_a_run_computes_the_frozen_blocks_once_an_image_and_variant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, calls = small_vit(), []
    plain = model.encoder_prefix

    def counted(pixels: torch.Tensor, frame: Frame, stop: int) -> EncoderPrefix:
        calls.append(stop)
        return plain(pixels, frame, stop)

    monkeypatch.setattr(model, "encoder_prefix", counted)
    monkeypatch.setattr(model, "encoder_output", None)  # nothing is encoded as a whole
    torch.set_num_threads(1)
    recipe = small_recipe(*SETTINGS, "lora.encoder_last=1", "cache.dir=kept", "budget.steps=8")
    out = tmp_path / "run"
    accelerator, console = Accelerator(cpu=True), Console(quiet=True)
    run_training(model, recipe, Named(3), Named(2, 4), out, BASE, accelerator=accelerator, console=console)
    kept = list((out / "kept").glob("*/*.safetensors"))
    assert set(calls) == {2}
    assert len(calls) == len(kept)
    assert len(kept) <= 3 * 2 + 2  # and the two of the validation
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if row["kind"] == "step"] == list(range(1, 9))
    fresh = small_vit().eval()
    load_adapter(fresh, out / "adapter", BASE.sha256)
    adapted = [name for name, module in fresh.named_modules() if hasattr(module, "lora_A")]
    assert not any(name.startswith(("image_encoder.blocks.0", "image_encoder.patch")) for name in adapted)
