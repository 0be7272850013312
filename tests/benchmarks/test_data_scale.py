"""The benchmark of large datasets: its dataset is sound, and what starting a step takes is not growth."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dentasam.cli.bench import benchmark
from dentasam.cli.data import app
from dentasam.data.dataset import Dataset

data_scale = benchmark("data_scale")
large_dataset = benchmark("large_dataset")


def test_the_dataset_is_sound(tmp_path: Path) -> None:
    path = large_dataset.write_large_dataset(tmp_path / "large", images=14, objects=30)
    dataset = Dataset.load(path)
    assert (len(dataset.images), dataset.objects) == (14, 14 * 30)
    assert len({image.path.read_bytes() for image in dataset.images}) == 14
    checked = CliRunner().invoke(app, ["check", str(path)])
    assert checked.exception is None
    # One picture stands for all images and teeth repeat, so there are warnings, which are right; nothing is wrong.
    assert ": no errors, " in checked.stdout.splitlines()[-1]
    assert not [line for line in checked.stdout.splitlines() if line.startswith("error:")]
    assert max(image.path.stat().st_size for image in dataset.images) < 10_000


def test_growth_is_compared_without_the_start() -> None:
    row = data_scale.Row
    rows = [
        row("load", 10, 1.0, 9.0, 50),
        row("load", 1000, 3.0, 9.0, 60),
        row("load", 3000, 4.0, 9.0, 70),
        row("load", 10000, 21.0, 9.0, 90),
        row("quick", 10, 1.0, 9.0, 50),
        row("quick", 1000, 1.0, 9.0, 50),
        row("quick", 10000, 1.1, 9.0, 51),
    ]
    found = data_scale.ratios(rows)
    assert found == {"load, time_ratio": pytest.approx(10), "load, memory_ratio": pytest.approx(4)}
