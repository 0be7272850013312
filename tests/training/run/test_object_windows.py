"""Runs with steps on object windows: they resume bit by bit, also with other workers, and are measured in windows."""

import json
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dentasam.errors import AdapterError, RecipeError
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.objects import ObjectAnswer, ObjectPrompt
from dentasam.model.windows.windowed_image import WindowedImage
from dentasam.training.recipe.step_plan import RunPlan
from dentasam.training.run.training_run import TrainingRun
from dentasam.training.run.window_validation import _curve_of, _truth
from dentasam.training.samples.boxed_coverage import BoxedCoverage, boxed
from dentasam.training.samples.full_image import FullObjects

from ..small_run import small_recipe, small_run

WINDOWS = (
    "object_windows.share=0.5",
    "object_windows.objects_per_image=2",
    "object_windows.iterations_drawn={1: 0.5, 2: 0.5}",
    "crop.share=0.5",
    "budget.steps=4",
    "seed=6",
)


def steps(out: Path) -> list[dict[str, float]]:
    rows = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    return [row for row in rows if row["kind"] == "step"]


def test_the_plan_of_the_runs_below_has_both_kinds_of_steps() -> None:
    plan = RunPlan.of(small_recipe(*WINDOWS), 6)
    assert {plan.at(step).object_windows is None for step in range(2)} == {False, True}
    assert {plan.at(step).object_windows is None for step in range(2, 4)} == {False, True}


def test_a_stopped_run_is_resumed_bit_by_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_run(tmp_path / "whole", *WINDOWS)
    plain = TrainingRun.checkpoint

    def stopping(run: TrainingRun) -> None:
        plain(run)
        if run.progress.step == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingRun, "checkpoint", stopping)
        with pytest.raises(KeyboardInterrupt):
            small_run(tmp_path / "stopped", *WINDOWS)
    small_run(tmp_path / "stopped", *WINDOWS, "workers=1", resume=True)
    first, second = (
        torch.load(tmp_path / name / "last.pt", weights_only=True)["weights"] for name in ("whole", "stopped")
    )
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    losses = [[row["loss"] for row in steps(tmp_path / name)] for name in ("whole", "stopped")]
    assert losses[0] == losses[1]
    assert all(row["objects"] == 4 for row in steps(tmp_path / "whole"))


def test_clicks_that_a_perfect_mask_is_spared_are_not_counted() -> None:
    """Two objects, three clicks: one is perfect at once, the other stays empty, against every click."""
    coverage = np.full((10, 8), 255, np.uint8)
    full = FullObjects(
        np.zeros((64, 64), np.uint8),
        (BoxedCoverage(5, 5, coverage), BoxedCoverage(30, 30, coverage)),
        np.array([[8.0, 9.0], [33.0, 34.0]]),
        np.eye(2, 3),
    )

    class Image:
        def decode(self, prompts: list[ObjectPrompt]) -> list[ObjectAnswer]:
            masks = [np.full((10, 8), prompt.clicks[0, 0] < 20) for prompt in prompts]
            return [ObjectAnswer(BoxedMask(5, 5, mask), np.zeros((1, 1), np.float32), 0.5) for mask in masks]

    curve = _curve_of(cast(WindowedImage, Image()), full, 3)
    assert (curve.objects, curve.given, curve.unheeded) == (2, 4, 3)
    assert curve.dice.tolist() == [1.0, 1.0, 1.0]


def test_validation_is_in_windows_and_counts_unheeded_clicks(tmp_path: Path) -> None:
    small_run(tmp_path / "run", *WINDOWS, "budget.steps=1", "validation.every_steps=1")
    rows = map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    (row,) = [row for row in rows if row["kind"] == "validation"]
    assert row["objects"] == 2
    assert len(row["dice_at_clicks"]) == 2
    assert 0 <= row["unheeded"] <= 1


def test_mask_and_truth_are_compared_where_they_are() -> None:
    shape = (40, 60)
    truth, mask = np.zeros(shape, bool), np.zeros(shape, bool)
    truth[5:20, 30:50], mask[10:30, 25:45] = True, True
    own = boxed(truth.view(np.uint8), 255)
    assert own is not None
    x, y, predicted, true = BoxedMask(25, 10, np.ones((20, 20), bool)).in_joint_box(_truth(own))
    assert (x, y, true.shape) == (25, 5, (25, 25))
    assert np.array_equal(true, truth[5:30, 25:50])
    assert np.array_equal(predicted, mask[5:30, 25:50])
    empty = BoxedMask(0, 0, np.zeros((0, 0), bool))
    x, y, predicted, true = empty.in_joint_box(_truth(own))
    assert (x, y, predicted.sum(), true.sum()) == (30, 5, 0, 300)


def test_an_adapter_goes_on_from_another(tmp_path: Path) -> None:
    still = ("optimiser.lr=1e-12", "budget.steps=1", "optimiser.weight_decay=0")
    small_run(tmp_path / "first", "budget.steps=2", "optimiser.lr=0.01", validate=False)
    first = load_file(tmp_path / "first" / "adapter" / "adapter_model.safetensors")
    source = f"adapter={tmp_path / 'first' / 'adapter'}"
    small_run(tmp_path / "second", *still, source, validate=False)
    second = load_file(tmp_path / "second" / "adapter" / "adapter_model.safetensors")
    assert first.keys() == second.keys()
    assert all(torch.allclose(tensor, second[name], atol=1e-6) for name, tensor in first.items())
    small_run(tmp_path / "fresh", *still, validate=False)
    fresh = load_file(tmp_path / "fresh" / "adapter" / "adapter_model.safetensors")
    assert not all(torch.allclose(tensor, fresh[name], atol=1e-6) for name, tensor in first.items())
    with pytest.raises(AdapterError, match=r"lora\.rank is 2, the recipe's 4"):
        small_run(tmp_path / "third", source, "lora.rank=4")
    with pytest.raises(RecipeError, match="not full"):
        small_recipe("scope=full", source)
