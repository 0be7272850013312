"""The measuring core: sides in processes of their own, memory and operations that can be worked out by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from dentasam.cli.bench import benchmark

machine = benchmark("machine")
measuring = benchmark("measuring")
report_module = benchmark("report")
watching = benchmark("watching")

CPU = torch.device("cpu")
MIB = 2**20


def test_operations_and_memory_of_a_product() -> None:
    a = torch.randn(64, 128)

    def run() -> None:
        large = torch.ones(32 * MIB // 4)
        assert large.sum() > 0
        a @ a.T

    watching.watched(lambda: a @ a.T + torch.ones(8).sum(), CPU)  # what torch loads and sets up for the first of them
    seconds, found = watching.watched(run, CPU)
    assert seconds > 0
    assert found["flop"] == 2 * 64 * 128 * 64
    assert 32 * MIB <= found["added_bytes"] < 48 * MIB
    assert found["peak_bytes"] > found["added_bytes"]


@pytest.mark.parametrize("grad", [False, True])
def test_operations_of_attention(grad: bool) -> None:
    """The CPU's fused kernel is counted as the two products it is; backwards another five."""
    q, k, v = (torch.randn(1, 2, 64, 16, requires_grad=grad) for _ in range(3))

    def run() -> None:
        out = torch.nn.functional.scaled_dot_product_attention(q, k, v)
        if grad:
            out.sum().backward()

    product = 2 * 2 * 64 * 16 * 64
    assert watching.watched(run, CPU)[1]["flop"] == (7 if grad else 2) * product


def test_memory_freed_before_does_not_count() -> None:
    def touch(mib: int) -> None:
        torch.ones(mib * MIB // 4)

    touch(200)
    _, found = watching.watched(lambda: touch(16), CPU)
    assert found["added_bytes"] < 40 * MIB


@pytest.fixture(scope="module")
def measured() -> dict:
    sides = [
        measuring.Side("peer", "encode:theirs", {"model": "vit_tiny"}),
        measuring.Side("unknown", "encode:nothing_of_the_kind"),
        measuring.Side("ours", "encode:ours", {"model": "vit_tiny", "square": False}),
        measuring.Side("ours again", "encode:ours", {"model": "vit_tiny", "square": False}, rounds=1),
    ]
    notes: list[str] = []
    found = measuring.measure(sides, 2, "cpu", 1, note=notes.append)
    runs = [line for line in notes if ": run " in line]
    assert runs == ["ours: run 1", "ours again: run 1", "ours: run 2"]
    return found


def test_a_side_that_cannot_run_leaves_the_others(measured: dict) -> None:
    assert "plain ViT" in measured["peer"].error
    assert "nothing_of_the_kind" in measured["unknown"].error
    assert measured["ours"].error is None
    assert [len(side.seconds) for side in measured.values()] == [0, 0, 2, 1]


def test_want_of_memory_is_said_in_plain_words() -> None:
    """A tensor of a million GiB: the side fails on its own, the system ends nobody."""
    child = benchmark("child")
    with pytest.raises(RuntimeError) as error:
        torch.empty(2**50, dtype=torch.uint8)
    assert child.in_one_line(error.value) == "it needs more memory than was free"
    assert child.in_one_line(ValueError("two\nlines")) == "two lines"


def test_same_setup_gives_the_same_answer(measured: dict) -> None:
    ours, again = measured["ours"], measured["ours again"]
    assert ours.flop == again.flop > 1e9
    np.testing.assert_array_equal(ours.answer["features"], again.answer["features"])


def test_reduced_precision() -> None:
    """All of a side's runs, its training step's too, are in bf16; what is prepared is not."""
    step = {"model": "small", "objects": 2, "iterations": 2, "windows": True}
    sides = [
        measuring.Side("encode", "encode:ours", {"model": "small", "square": False}),
        measuring.Side("train", "train:ours", step),
    ]
    single, half = (measuring.measure(sides, 1, "cpu", 1, precision) for precision in ("fp32", "bf16"))
    assert half["train"].error is None
    assert half["train"].facts.keys() == single["train"].facts.keys() == {"share_of_clicks"}
    exact, rounded = (found["encode"].answer["features"] for found in (single, half))
    difference = np.abs(exact - rounded).max()
    assert 1e-4 < difference < 0.1 * np.abs(exact).max()


def test_report(measured: dict, tmp_path: Path) -> None:
    here = machine.Machine("a", "b", 2, 1, "cpu", "c", 0.0, matmul_flops=1e10, copy_bytes=1e9)
    report = report_module.Report("title", here, {"image": "512 x 1024"})
    report.add(measured, "a group")
    report.ratio("same", measured["ours"], measured["ours again"])
    report.ratio("against nothing", measured["ours"], measured["peer"])
    report.agreement("features", measured["ours"], measured["ours again"], "features")
    path = tmp_path / "found.json"
    report.write(path)
    found = json.loads(path.read_text())
    assert found["ratios"].keys() == {"same"}
    ours, again = measured["ours"], measured["ours again"]
    assert found["ratios"]["same"] == pytest.approx(again.seconds[0] / np.mean(ours.seconds))
    assert found["checks"] == {"features": 0.0}
    assert found["rows"][2]["flop_per_second"] == pytest.approx(ours.flop / ours.median)
    assert any("plain ViT" in remark for remark in found["remarks"])
    with (tmp_path / "table.txt").open("w") as file:
        report.show(Console(file=file))
    shown = (tmp_path / "table.txt").read_text()
    assert "ours again" in shown
    assert "peer: not measured" in shown


def test_ceiling_is_the_lower_of_arithmetic_and_memory() -> None:
    here = machine.Machine("a", "b", 2, 1, "cpu", "c", 0.0, matmul_flops=1e10, copy_bytes=1e9)
    assert here.ceiling(1e9, 1e6) == 1e10
    assert here.ceiling(1e6, 1e6) == 1e9
    row = here.under_ceiling({"seconds": 2.0, "flop": 1e9, "bytes": 1e6})
    assert row["flop_per_second"] == 5e8
    assert row["share_of_ceiling"] == pytest.approx(0.05)
    assert machine.matmul_ceiling(CPU, 128) > 1e7
