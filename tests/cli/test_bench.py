"""`dentasam bench`: finds its benchmarks, prints what it found and writes it."""

import json
from pathlib import Path

import pytest

from dentasam.cli import bench
from dentasam.errors import DentasamError

from ..conftest import Command

NAMES = {
    "encode": ["encode_vs_padded", "encode_vs_transformers"],
    "decode": ["decode1_vs_transformers", "decode32_vs_transformers", "decode32_memory_vs_transformers"],
    "train": [
        "train_vs_tooth_per_sample",
        "train_vs_joint_graph",
        "train_memory_vs_joint_graph",
        "cached_epoch_vs_uncached",
    ],
}


def test_encode_prints_and_writes(dentasam: Command, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    path = tmp_path / "encode.json"
    done = dentasam("bench", "encode", "--quick", "--device", "cpu", "--json", path)
    assert done.returncode == 0, done.stderr
    found = json.loads(path.read_text())
    assert found.keys() >= {"machine", "work", "rows", "ratios"}
    assert set(NAMES["encode"]) <= found["ratios"].keys()
    assert all(isinstance(value, float) and value > 0 for value in found["ratios"].values())
    assert found["machine"]["matmul_flops"] > 0
    (difference,) = found["checks"].values()
    assert difference < 1e-4
    for name in NAMES["encode"]:
        assert name in done.stdout
    assert "GFLOP/s" in done.stdout


@pytest.mark.parametrize("command", list(NAMES))
def test_ratios_have_the_names_that_scripts_rely_on(command: str) -> None:
    source = (bench.CHECKOUT / f"{command}.py").read_text()
    assert [name for name in NAMES[command] if f'"{name}"' not in source] == []


def test_missing_folder_is_one_line(dentasam: Command, tmp_path: Path) -> None:
    done = dentasam("bench", "encode", "--json", tmp_path / "nowhere" / "found.json")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "nowhere" in done.stderr


def test_benchmarks_inside_an_installed_package_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "__init__.py").touch()
    (tmp_path / "one.py").write_text("HERE = __file__\n")
    monkeypatch.setattr(bench, "PACKAGE", "benchmarks_of_a_test")
    monkeypatch.setattr(bench, "INSTALLED", tmp_path)
    assert str(tmp_path / "one.py") == bench.benchmark("one").HERE


def test_without_benchmarks_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "PACKAGE", "benchmarks_that_are_not_there")
    monkeypatch.setattr(bench, "INSTALLED", tmp_path)
    monkeypatch.setattr(bench, "CHECKOUT", tmp_path)
    with pytest.raises(DentasamError, match="install dentasam again"):
        bench.benchmark("one")
