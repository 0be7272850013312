"""`dentasam train` and `dentasam pretrain` as a user runs them, mistakes included."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from dentasam.data.phantom import write_phantoms
from dentasam.model.adapters.folder import AdapterCard
from dentasam.model.adapters.loading import load_adapter
from dentasam.model.chart.head import ChartCard
from dentasam.model.checkpoints.loading import load_model
from dentasam.model.checkpoints.reading import sha256_of
from dentasam.model.checkpoints.saving import save_checkpoint
from dentasam.model.sam_hq import build_sam_hq
from dentasam.model.segmenter import load_torch

from ..conftest import Command

QUICK = (
    *("--set", "schedule.iterations=2", "--set", "schedule.corrections=1", "--set", "schedule.mask_only=0"),
    *("--set", "schedule.iterations_drawn={}", "--set", "object_windows.share=0"),
    *("--set", "crop.size=64", "--set", "crop.share=1", "--set", "objects_per_image=1", "--set", "workers=0"),
    *("--set", "budget.epochs=null", "--set", "budget.steps=2", "--set", "batch_images=1"),
    *("--set", "validation.images=1", "--set", "validation.clicks=1", "--set", "precision=fp32"),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("data"), count=2, seed=1, width=512, height=64)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("base") / "base.safetensors"
    save_checkpoint(build_sam_hq("vit_tiny"), path)
    return path


def test_train_makes_an_adapter_for_its_base(dentasam: Command, data: Path, base: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = ("train", data, "--val", data, "--recipe", "encoder+decoder", "--model", base, *QUICK, "--cpu")
    done = dentasam(*command, "--out", out, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    assert "parameters train" in done.stderr
    assert f"{out / 'adapter'}: step 2 of 2" in done.stdout
    model, info = load_model(base)
    card = load_adapter(model, out / "adapter", info.sha256)
    assert isinstance(card, AdapterCard)
    assert card.base_sha256 == sha256_of(base)
    assert card.recipe["schedule"]["iterations"] == 2

    again = dentasam(*command, "--out", out)
    assert again.returncode == 2
    assert "in use" in again.stderr
    assert "--resume" in again.stderr
    assert len(again.stderr.splitlines()) == 1

    # The run goes on with its own data alone.
    moved = shutil.copytree(data.parent, tmp_path / "moved") / "renamed.json"
    (tmp_path / "moved" / data.name).rename(moved)
    resumed = ("train", moved, "--val", moved, "--recipe", "encoder+decoder", "--model", base, *QUICK, "--cpu")
    content = json.loads(moved.read_text())
    del content["annotations"][0]
    moved.write_text(json.dumps(content))
    refused = dentasam(*resumed, "--resume", "--out", out)
    assert refused.returncode == 2
    assert "began with the training data phantoms.json (2 images" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


TINY_CHART = (
    *("--set", "width=16", "--set", "detail=16", "--set", "numberer_width=16", "--set", "seed=1"),
    *(
        "--set",
        "views.per_image=1",
        "--set",
        "views.phantoms=0",
        "--set",
        "finder.steps=1",
        "--set",
        "finder.batch=1",
    ),
    *("--set", "numberer.steps=2", "--set", "numberer.batch=2"),
)


def test_train_makes_a_chart_head_for_a_base_alone(dentasam: Command, data: Path, base: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = ("train", data, "--val", data, "--recipe", "chart", "--model", base, "--adapter", "none", "--cpu")
    done = dentasam(*command, *TINY_CHART, "--out", out, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    assert f"{out / 'adapter'}: on phantoms.json" in done.stdout
    assert sorted(path.name for path in (out / "adapter").iterdir()) == ["chart.json", "chart.safetensors"]
    segmenter = load_torch(base, device="cpu", chart=out / "adapter")
    assert len(segmenter.chart(np.zeros((16, 400), np.uint8))) == 0
    card = ChartCard.read(out / "adapter")
    assert (card.base_sha256, card.adapter) == (sha256_of(base), None)
    assert card.recipe["base"] == str(base)

    again = dentasam(*command, *TINY_CHART, "--out", out)
    assert again.returncode == 2
    assert "give --resume" in again.stderr
    assert len(again.stderr.splitlines()) == 1


def test_pretrain_refuses_the_recipe_of_a_chart_head(dentasam: Command, tmp_path: Path) -> None:
    done = dentasam("pretrain", "--recipe", "chart", "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "scope chart trains a chart head; use dentasam train" in done.stderr
    assert not (tmp_path / "run").exists()


def test_pretrain_makes_a_model(dentasam: Command, tmp_path: Path) -> None:
    out = tmp_path / "run"
    stage = "{steps: 2, window: 64, batch_images: 2, objects_per_image: 1, corrections: 1}"
    done = dentasam(
        *("pretrain", "--recipe", "dentasam-tiny", "--cpu", "--out", out, "--set", f"stages=[{stage}]"),
        *("--set", "validation.images=1", "--set", "validation.clicks=1", "--set", "workers=0"),
        *("--set", "phantoms.width=512", "--set", "phantoms.height=64", "--set", "phantoms.images=4"),
        OMP_NUM_THREADS="1",
    )
    assert done.returncode == 0, done.stderr
    model, info = load_model(out / "model.safetensors")
    assert info.kind == "vit_tiny"
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [row["kind"] for row in rows] == ["step", "step", "validation"]
    assert all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters())


def test_pretrain_goes_on_from_a_model(dentasam: Command, base: Path, tmp_path: Path) -> None:
    stage = "{steps: 1, window: 64, batch_images: 1, objects_per_image: 1, corrections: 0}"
    done = dentasam(
        *("pretrain", "--recipe", "dentasam-tiny", "--cpu", "--out", tmp_path / "run", "--set", f"stages=[{stage}]"),
        *("--set", f"base={base}", "--set", "optimiser.lr=1e-12", "--set", "workers=0"),
        *("--set", "validation.images=1", "--set", "validation.clicks=1", "--set", "optimiser.weight_decay=0"),
    )
    assert done.returncode == 0, done.stderr
    before, after = load_model(base)[0], load_model(tmp_path / "run" / "model.safetensors")[0]
    for name, parameter in before.named_parameters():
        assert torch.allclose(parameter, after.get_parameter(name), rtol=1e-3, atol=1e-6), name


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("--recipe", "nonesuch"), "nonesuch: no such recipe"),
        (("--set", "optimiser.rate=1"), "unknown key 'optimiser.rate'"),
        (("--recipe", "dentasam-tiny"), "use dentasam pretrain"),
        (("--val", "missing.json"), "missing.json"),
        (("--model", "missing.pth"), "missing.pth"),
    ],
)
def test_wrong_use_of_train(
    dentasam: Command, data: Path, base: Path, tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    options = {"--val": data, "--recipe": "decoder", "--model": base, "--out": tmp_path / "run"}
    options |= {change[0]: change[1]}
    done = dentasam("train", data, *(word for option in options.items() for word in option))
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_wrong_use_of_pretrain(dentasam: Command, tmp_path: Path) -> None:
    done = dentasam("pretrain", "--recipe", "decoder", "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "pretraining needs scope full" in done.stderr
    assert len(done.stderr.splitlines()) == 1
