"""The ways that are compared do the same work: without windows and repair, both give the same Dice."""

from pathlib import Path

import numpy as np

from dentasam.cli.bench import benchmark
from dentasam.data.dataset import Dataset
from dentasam.data.phantom import write_phantoms
from dentasam.model.runtime import load

speed = benchmark("evaluate_speed")


def test_both_ways_on_the_whole_image_agree(tmp_path: Path) -> None:
    dataset = speed.teeth(Dataset.load(write_phantoms(tmp_path, 1, seed=5, width=384, height=192)))
    segmenter = load("dentasam-tiny", "panoramic-teeth", "cpu", "fp32").merged()
    watches, dice = speed.measure(segmenter, dataset, clicks=3)
    (before,), (windowed,), (now,), (together,) = dice.values()
    np.testing.assert_array_equal(before, now)
    np.testing.assert_array_equal(windowed, together)
    assert windowed.shape == before.shape == (dataset.objects, 3)
    *one_by_one, several = watches.values()
    assert several.total == several.seconds["rest"] > 0
    for watch in one_by_one:
        assert set(watch.seconds) == set(speed.PARTS)
        assert min(watch.seconds[part] for part in ("encode", "decode", "clicks")) > 0
        assert watch.total > watch.seconds["encode"] + watch.seconds["decode"]
