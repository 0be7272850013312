"""States, best weights and metrics in a run's folder that are damaged, or of another run, are never gone on with."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dentasam.errors import DentasamError, OutputError
from dentasam.model.adapters.folder import CARD, CONFIG, WEIGHTS
from dentasam.training.run import metrics_log
from dentasam.training.run.metrics_log import cut_metrics
from dentasam.training.run.saved.run_inputs import INPUTS, Input, RunInputs
from dentasam.training.run.saved.state_file import read_state

from .. import small_run as script
from ..small_run import small_run

SHORT = ("budget.steps=4", "validation.every_steps=2", "checkpoint_every=1")


def resumed(out: Path) -> int:
    return small_run(out, *SHORT, resume=True).best_step


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    small_run(folder / "one", *SHORT)
    small_run(folder / "other", *SHORT, "lora.alpha=64", "seed=5", "optimiser.lr=0.01")
    return folder


@pytest.fixture
def killed(runs: Path, tmp_path: Path) -> Path:
    """A run as it is after it was killed in step 4."""
    out = tmp_path / "run"
    shutil.copytree(runs / "one", out)
    os.replace(out / "last.previous.pt", out / "last.pt")
    return out


def rewritten(path: Path, change: Callable[[dict], None]) -> None:
    state = torch.load(path, weights_only=True)
    del state["sealed"]
    change(state)
    torch.save(state, path)


def test_a_state_of_another_recipe_is_refused(runs: Path, killed: Path) -> None:
    shutil.copy(runs / "other" / "last.pt", killed / "last.pt")
    with pytest.raises(
        OutputError, match=r"last\.pt: of another run \(its recipe differs in lora\.alpha: 48 instead"
    ):
        resumed(killed)
    os.replace(killed / "last.pt", killed / "last.previous.pt")
    with pytest.raises(
        OutputError, match=r"last\.previous\.pt: of another run .*delete it, and --resume begins anew"
    ):
        resumed(killed)


def test_a_state_of_other_data_is_refused_unless_it_is_wanted(killed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(script.BASE, training=Input("other", "", "1" * 64))
    monkeypatch.setattr(script, "BASE", other)
    RunInputs(Input("small", "", "0" * 64), None, other.training).write(killed)
    with pytest.raises(
        OutputError, match=r"of another run \(the training data is not that of inputs.json\).* delete"
    ):
        resumed(killed)
    (killed / INPUTS).unlink()
    resumed(killed)
    assert json.loads((killed / INPUTS).read_text())["training"]["sha256"] == "1" * 64
    resumed(killed)


def test_a_state_without_its_run_of_an_earlier_version_goes_on(killed: Path) -> None:
    def earlier(state: dict) -> None:
        del state["origin"], state["progressed"]["best_sha256"]

    rewritten(killed / "last.pt", earlier)
    small_run(killed, *SHORT, resume=True)
    assert torch.load(killed / "last.pt", weights_only=True)["origin"]["recipe"]["seed"] == 0


@pytest.mark.parametrize("origin", [None, [], {}, {"recipe": {"scope": "chart"}, "inputs": {}}, {"recipe": {"a": 1}}])
def test_an_origin_that_is_none_is_a_damage(killed: Path, origin: object) -> None:
    rewritten(killed / "last.pt", lambda state: state.update(origin=origin))
    with pytest.raises(OutputError, match=r"last\.pt: damaged \(it holds no state of this run's model\); delete it"):
        resumed(killed)


DAMAGES = {
    "no folder": lambda folder, _: shutil.rmtree(folder),
    "cut": lambda folder, _: os.truncate(folder / WEIGHTS, 1000),
    "empty": lambda folder, _: os.truncate(folder / WEIGHTS, 0),
    "no card": lambda folder, _: (folder / CARD).unlink(),
    "other weights": lambda folder, other: shutil.copy(other / WEIGHTS, folder / WEIGHTS),
    "other alpha": lambda folder, other: shutil.copy(other / CONFIG, folder / CONFIG),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_best_weights_that_are_gone_are_not_announced(
    runs: Path, killed: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    def best_of_a_validation_before(state: dict) -> None:
        state["progressed"]["best_score"] = 2.0

    rewritten(killed / "last.pt", best_of_a_validation_before)
    DAMAGES[damage](killed / "adapter", runs / "other" / "adapter")
    assert resumed(killed) == 4
    card = json.loads((killed / "adapter" / CARD).read_text())
    assert card["scores"]["step"] == 4
    state = torch.load(killed / "last.pt", weights_only=True)
    assert state["progressed"]["best_sha256"] is not None


def test_gone_best_weights_of_the_last_step_are_saved_again(
    runs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "run"
    shutil.copytree(runs / "one", out)
    progress = torch.load(out / "last.pt", weights_only=True)["progressed"]
    rewritten(out / "last.pt", lambda state: state["progressed"].update(best_step=4))
    before = (out / "adapter" / WEIGHTS).read_bytes()
    shutil.rmtree(out / "adapter")
    assert resumed(out) == 4
    assert "did not hold the best weights, of step 4; they were saved again" in caplog.text
    assert ((out / "adapter" / WEIGHTS).read_bytes() == before) == (progress["best_step"] == 4)


def test_gone_best_weights_of_a_finished_run_are_said(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(runs / "one", out)
    rewritten(out / "last.pt", lambda state: state["progressed"].update(best_step=2))
    shutil.rmtree(out / "adapter")
    with pytest.raises(OutputError, match=r"adapter: the best weights, of step 2, are gone .* --resume goes on from"):
        resumed(out)
    (out / "last.pt").unlink()
    assert resumed(out) == 4


@pytest.mark.parametrize("place", ["adapter", f"adapter/{WEIGHTS}"])
def test_something_else_in_the_place_of_the_weights_is_named(killed: Path, place: str) -> None:
    path = killed / place
    if path.is_dir():
        shutil.rmtree(path)
        path.touch()
    else:
        path.unlink()
        (path / "x").mkdir(parents=True)
    with pytest.raises(DentasamError, match=f"{path}: cannot be written .*; remove it and --resume"):
        resumed(killed)


def test_metrics_are_cut_after_the_step(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    cut_metrics(path, 1)
    assert not path.exists()
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 1, "kind": "validation"}\n{"st')
    cut_metrics(path, 1)
    assert path.read_text() == '{"step": 1}\n{"step": 1, "kind": "validation"}\n'
    with path.open("ab") as file:
        file.write(b"\xfb")
    cut_metrics(path, 1)
    assert path.read_text() == '{"step": 1}\n{"step": 1, "kind": "validation"}\n'


@pytest.mark.parametrize("row", [b"\xfb\n", b"\n", b"[]\n", b'{"step": "1"}\n', b'{"step": null}\n', b"\0" * 5000])
def test_a_damaged_row_of_the_metrics_is_named(tmp_path: Path, row: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_log, "_LONGEST_ROW", 4000)
    path = tmp_path / "metrics.jsonl"
    content = b'{"step": 1}\n' + row + b'{"step": 1}\n'
    path.write_bytes(content)
    with pytest.raises(OutputError, match=r"metrics\.jsonl, line 2: damaged; delete the line, or the file"):
        cut_metrics(path, 1)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["metrics.jsonl"]


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_metrics_that_are_no_file_are_named(killed: Path, make: Callable[[Path], None]) -> None:
    (killed / "metrics.jsonl").unlink()
    make(killed / "metrics.jsonl")
    with pytest.raises(OutputError, match=r"metrics\.jsonl: cannot be used \(.*\); remove it and --resume"):
        resumed(killed)


@pytest.mark.parametrize("full", ["recipe.yaml", INPUTS])
def test_a_full_disk_at_the_start_leaves_nothing_behind(
    tmp_path: Path, full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Path.write_text

    def write_text(path: Path, *more: str) -> int:
        if full in path.name:
            raise OSError(28, "No space left on device")
        return plain(path, *more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", write_text)
        with pytest.raises(OSError, match="No space left"):
            small_run(tmp_path / "run", *SHORT)
    assert not os.listdir(tmp_path / "run")
    assert small_run(tmp_path / "run", *SHORT).steps == 4


@pytest.mark.parametrize("name", ["last.pt", "last.previous.pt"])
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_a_state_that_is_no_file_is_named_with_a_reason(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    make(tmp_path / name)
    with pytest.raises(OutputError) as caught:
        read_state(tmp_path / "last.pt")
    assert str(caught.value).startswith(f"{tmp_path / name}: damaged (")
    assert "Error" not in str(caught.value)
