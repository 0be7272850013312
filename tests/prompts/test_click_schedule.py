import numpy as np
import pytest

from dentasam.prompts.click_schedule import ClickSchedule


def test_default_is_sams_eleven_iterations() -> None:
    schedule = ClickSchedule()
    assert schedule.iterations == 11
    for seed in range(20):
        steps = schedule.steps(np.random.default_rng(seed))
        assert len(steps) == 11
        assert steps[0] == "first"
        assert steps[-1] == "mask"
        assert steps.count("correction") == 8
        assert steps.count("mask") == 2


def test_the_other_mask_only_step_moves() -> None:
    places = {ClickSchedule().steps(np.random.default_rng(seed)).index("mask") for seed in range(60)}
    assert len(places) > 4


def test_without_mask_only_steps() -> None:
    steps = ClickSchedule(corrections=3, mask_only=0).steps(np.random.default_rng(0))
    assert steps == ("first", "correction", "correction", "correction")


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be negative"):
        ClickSchedule(corrections=-1)
