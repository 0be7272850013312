"""Training with a running mean of the weights: killed and resumed, it ends at the same bits."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dentasam.errors import OutputError
from dentasam.training.chart.averaged_run import train_averaged
from dentasam.training.recipe.chart_recipe import FinderTraining

SETTINGS = FinderTraining(steps=25, lr=0.05, warmup_steps=3, average=0.9, weight_decay=0.0)


class Killed(Exception):
    pass


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 1))


def loss(own: nn.Module, step: int) -> Tensor:
    """Fit the sum of the inputs, on a batch that depends on the step alone."""
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(step))
    found: Tensor = ((own(x) - x.sum(1, keepdim=True)) ** 2).mean()
    return found


def nothing(done: int, total: int, note: str = "") -> None:
    pass


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    trained = network()
    train_averaged(trained, SETTINGS, loss, tmp_path / "state.pt", 100, nothing)
    assert not trained.training
    assert float(loss(trained, 1000).detach()) < 0.5 * float(loss(network(), 1000).detach())


@pytest.mark.parametrize("at", [1, 9, 10, 24])
def test_a_run_that_was_killed_ends_at_the_same_weights(tmp_path: Path, at: int) -> None:
    whole = network()
    train_averaged(whole, SETTINGS, loss, tmp_path / "whole.pt", 5, nothing)

    def kill(done: int, total: int, note: str = "") -> None:
        if done == at:
            raise Killed

    killed = network()
    with pytest.raises(Killed):
        train_averaged(killed, SETTINGS, loss, tmp_path / "killed.pt", 5, kill)
    seen: list[int] = []
    resumed = network()
    with torch.no_grad():  # whatever it starts from, the state replaces it
        for parameter in resumed.parameters():
            parameter.add_(0.0 if at < 5 else 1.0)
    train_averaged(resumed, SETTINGS, loss, tmp_path / "killed.pt", 5, lambda done, total, note="": seen.append(done))
    assert seen == list(range(at // 5 * 5 + 1, SETTINGS.steps + 1))
    for name, weights in whole.state_dict().items():
        assert torch.equal(weights, resumed.state_dict()[name]), name


def test_a_run_that_is_done_takes_no_further_step(tmp_path: Path) -> None:
    trained, again = network(), network()
    train_averaged(trained, SETTINGS, loss, tmp_path / "state.pt", 10, nothing)

    def refuse(own: nn.Module, step: int) -> Tensor:
        raise AssertionError("a step too many")

    train_averaged(again, SETTINGS, refuse, tmp_path / "state.pt", 10, nothing)
    assert all(
        torch.equal(a, b) for a, b in zip(trained.state_dict().values(), again.state_dict().values(), strict=True)
    )


def test_what_is_left_is_the_mean_of_the_weights(tmp_path: Path) -> None:
    trained = network()
    mean = copy.deepcopy(trained.state_dict())

    def average(done: int, total: int, note: str = "") -> None:
        kept = min(SETTINGS.average, done / (done + 19))
        for name, weights in trained.state_dict().items():
            mean[name] = kept * mean[name] + (1 - kept) * weights

    train_averaged(trained, SETTINGS, loss, tmp_path / "state.pt", 100, average)
    for name, weights in trained.state_dict().items():
        assert torch.allclose(weights, mean[name], atol=1e-5), name


def test_updates_count_the_steps_and_name_the_loss(tmp_path: Path) -> None:
    shown: list[tuple[int, int, str]] = []
    train_averaged(
        network(),
        SETTINGS,
        loss,
        tmp_path / "state.pt",
        100,
        lambda done, total, note="": shown.append((done, total, note)),
    )
    assert [done for done, _, _ in shown] == list(range(1, 26))
    assert {total for _, total, _ in shown} == {25}
    first = float(loss(network(), 0).detach())
    assert shown[0][2] == f"loss {first:.3f}"


def test_a_damaged_state_is_refused_before_it_is_used(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    train_averaged(network(), SETTINGS, loss, state, 100, nothing)
    whole = state.read_bytes()
    for place in range(100, len(whole), 997):
        state.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(OutputError, match=r"state\.pt: damaged .*; delete it, and --resume begins anew"):
            train_averaged(network(), SETTINGS, loss, state, 100, nothing)
