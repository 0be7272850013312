"""A killed run, resumed, ends with the weights of one that was never killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dentasam.errors import OutputError, RecipeError
from dentasam.training.run.saved.run_inputs import Input
from dentasam.training.run.training_run import TrainingRun

from ...linked_away import linked_away
from .. import small_run as script
from ..small_run import small_run


def steps_logged(out: Path) -> list[int]:
    path = out / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [row["step"] for row in map(json.loads, lines) if row["kind"] == "step"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "whole"
    small_run(out)
    return out


def test_killed_and_resumed_is_bit_equal(uninterrupted: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    # images 1 … 10 are for steps 1 … 5, one more is the validation at step 3: the 6th step hangs
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.training.small_run", str(out)],
        env=os.environ | {"STALL_AFTER": "10"},
        cwd=Path(script.__file__).parents[2],
        stderr=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + 120
        while len(steps_logged(out)) < 5:
            assert process.poll() is None, process.stderr and process.stderr.read().decode()
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    state = torch.load(out / "last.pt", weights_only=True)
    assert state["progressed"]["step"] == 4  # step 5 is lost and must be made again

    result = small_run(out, resume=True)

    assert result.steps == 8
    assert steps_logged(out) == list(range(1, 9))
    before, after = (torch.load(folder / "last.pt", weights_only=True) for folder in (uninterrupted, out))
    assert before["weights"].keys() == after["weights"].keys()
    for name, tensor in before["weights"].items():
        assert torch.equal(tensor, after["weights"][name]), name
    for index, moments in before["optimiser"]["state"].items():
        for name, value in moments.items():
            assert torch.equal(value, after["optimiser"]["state"][index][name])
    whole, resumed = (load_file(d / "adapter" / "adapter_model.safetensors") for d in (uninterrupted, out))
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())
    drop = ("seconds",)
    assert {k: v for k, v in before["progressed"].items() if k not in drop} == {
        k: v for k, v in after["progressed"].items() if k not in drop
    }


def test_workers_change_no_weight_even_where_the_run_resumes_with_others(
    uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    plain = TrainingRun.checkpoint

    def stopping(run: TrainingRun) -> None:
        plain(run)
        if run.progress.step == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingRun, "checkpoint", stopping)
        with pytest.raises(KeyboardInterrupt):
            small_run(out, "workers=1")
    assert steps_logged(out) == [1, 2, 3, 4]
    small_run(out, "workers=2", resume=True)
    before, after = (torch.load(folder / "last.pt", weights_only=True)["weights"] for folder in (uninterrupted, out))
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert all(row["waited"] >= 0 for row in rows if row["kind"] == "step")


def test_a_finished_run_is_left_as_it_is(uninterrupted: Path) -> None:
    before = (uninterrupted / "last.pt").read_bytes()
    result = small_run(uninterrupted, resume=True)
    assert (result.steps, result.ended_by) == (8, "steps")
    assert (uninterrupted / "last.pt").read_bytes() == before


def test_folder_in_use(uninterrupted: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="in use.*--resume"):
        small_run(uninterrupted)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="no training run to resume"):
        small_run(tmp_path, resume=True)


def test_resume_with_another_recipe(uninterrupted: Path) -> None:
    with pytest.raises(RecipeError, match=r"differs in optimiser\.lr: 0\.5 instead of .*recipe\.yaml"):
        small_run(uninterrupted, "optimiser.lr=0.5", resume=True)


def test_a_run_with_the_old_key_of_the_recipe_is_resumed(uninterrupted: Path, tmp_path: Path) -> None:
    recipe = (uninterrupted / "recipe.yaml").read_text()
    assert "\nwindowed_objective: true\n" in recipe
    (tmp_path / "recipe.yaml").write_text(recipe.replace("windowed_objective", "windows"))
    for name in ("last.pt", "metrics.jsonl"):
        (tmp_path / name).write_bytes((uninterrupted / name).read_bytes())
    assert small_run(tmp_path, resume=True).steps == 8
    with pytest.raises(RecipeError, match="differs in windowed_objective"):
        small_run(tmp_path, "windowed_objective=false", resume=True)


def test_damaged_state(uninterrupted: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_bytes((uninterrupted / "recipe.yaml").read_bytes())
    (tmp_path / "last.pt").write_bytes((uninterrupted / "last.pt").read_bytes()[:5000])
    with pytest.raises(OutputError, match=r"last\.pt: damaged"):
        small_run(tmp_path, resume=True)


def test_a_changed_bit_in_the_state(uninterrupted: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(uninterrupted, out)
    content = (out / "last.pt").read_bytes()
    middle = len(content) // 2
    (out / "last.pt").write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    with pytest.raises(
        OutputError, match=r"last\.pt: damaged .*; delete it, and --resume goes on from last\.previous"
    ):
        small_run(out, resume=True)
    (out / "last.pt").unlink()
    assert small_run(out, resume=True).steps == 8
    assert steps_logged(out) == list(range(1, 9))
    before, after = (torch.load(folder / "last.pt", weights_only=True)["weights"] for folder in (uninterrupted, out))
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_resume_with_another_base_or_other_data(uninterrupted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Input("other", "", "1" * 64)
    monkeypatch.setattr(script, "BASE", replace(script.BASE, training=other))
    with pytest.raises(OutputError, match="began with the training data none, not other"):
        small_run(uninterrupted, resume=True)
    monkeypatch.setattr(script, "BASE", replace(script.BASE, training=None, sha256="1" * 64))
    with pytest.raises(OutputError, match=r"began with the base model small \(sha256 000000000000…\), not small"):
        small_run(uninterrupted, resume=True)


def test_a_full_disk_ends_the_run_with_a_line_and_its_state_whole(
    uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    plain = os.fsync

    def full(descriptor: int) -> None:
        if len(steps_logged(out)) >= 6:
            raise OSError(28, "No space left on device")
        plain(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match=r"last\.pt: cannot be written \(No space left on device\); free space"):
            small_run(out)
    assert not list(out.rglob(".*"))
    assert torch.load(out / "last.pt", weights_only=True)["progressed"]["step"] == 4
    small_run(out, resume=True)
    before, after = (torch.load(folder / "last.pt", weights_only=True)["weights"] for folder in (uninterrupted, out))
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


@pytest.mark.parametrize(
    "place", ["adapter", "adapter/adapter_model.safetensors", "metrics.jsonl", "last.pt", "tensorboard", "kept/ab"]
)
def test_nothing_is_written_through_a_link_in_a_run_that_goes_on(
    uninterrupted: Path, tmp_path: Path, place: str
) -> None:
    out = tmp_path / "run"
    shutil.copytree(uninterrupted, out)
    with linked_away(out / place, tmp_path / "outside"):
        small_run(out, "budget.steps=9", resume=True)
