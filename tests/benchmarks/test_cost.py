"""What an image costs: one encoding and a request a click, the same clicks as in evaluation."""

from pathlib import Path

import numpy as np

from dentasam.cli.bench import benchmark

cost = benchmark("cost")
options = benchmark("options")


def test_objects_of_every_width_are_the_same() -> None:
    image, masks = cost.scene(512)
    larger, larger_masks = cost.scene(1024)
    assert image.shape == (256, 512)
    assert larger.shape == (512, 1024)
    assert len(masks) == len(larger_masks) > 20
    area = masks.sum(axis=(1, 2)) / larger_masks.sum(axis=(1, 2))
    assert np.abs(area - 0.25).max() < 0.05


def test_quick_run_and_its_plot(tmp_path: Path) -> None:
    report = cost.run(options.Options(device="cpu", quick=True))
    assert [row["objects"] for row in report.rows] == [1, 4]
    for row in report.rows:
        until = row["seconds_until_click"]
        assert len(until) == 2
        assert row["encode_seconds"] < until[0] < until[1]
        assert abs(until[1] - row["seconds"]) < 1e-9
    cost.plot(report, tmp_path / "cost.svg")
    assert "<svg" in (tmp_path / "cost.svg").read_text()
