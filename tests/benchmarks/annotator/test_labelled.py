"""Medians over cases and their intervals."""

from typing import Any

import numpy as np
import pytest

from dentasam.cli.bench import benchmark

labelled = benchmark("annotator.labelled")


def case(image: str, seconds: float, dice: tuple[float, ...] = (0.8, 1.0), right: int = 1) -> Any:
    spent = dict.fromkeys(("looking", "pointing", "painting", "typing", "homing"), seconds / 5)
    return labelled.Labelled(image, spent, 2.0, 10, dice, right, 0)


def test_summary_of_three_cases() -> None:
    found = labelled.summary([case("a", 10), case("b", 40), case("c", 100, (0.9, 0.0), 0)], 0.9)
    assert (found["seconds"], found["seconds_with_waits"]) == (pytest.approx(40), pytest.approx(42))
    assert found["mean_seconds_by_kind"]["typing"] == pytest.approx(10)
    assert (found["dice"], found["dice_min"]) == (pytest.approx(0.9), 0)
    assert (found["at_target"], found["numbers_right"]) == (pytest.approx(3 / 6), pytest.approx(2 / 6))
    # With three cases nothing is said about others.
    assert found["seconds_interval"] is None


def test_the_interval_lies_around_the_median_and_holds_it_as_often_as_it_should() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(60):
        low, high = labelled.interval_of_median(rng.exponential(100, 25))
        held += low <= 100 * np.log(2) <= high
    assert 50 <= held <= 60


def test_ratio_is_that_of_the_same_images() -> None:
    ways = {
        "fast": [case("a", 10), case("b", 30), case("c", 20), case("d", 5)],
        "slow": [case("c", 40), case("b", 40), case("a", 100)],
    }
    assert labelled.ratio(ways, "fast", "slow") == (pytest.approx(0.5), None)
