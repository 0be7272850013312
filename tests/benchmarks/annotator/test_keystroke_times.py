"""What acts cost: sums from the published times, written out."""

import numpy as np
import pytest

from dentasam.cli.bench import benchmark

times = benchmark("annotator.keystroke_times")


def test_a_clicked_tooth_costs_what_its_operators_sum_up_to() -> None:
    spent = times.Spent()
    spent.look()
    spent.click()
    spent.look()
    spent.keys(3)
    # M P B B M H K K K
    assert spent.total == pytest.approx(1.35 + 1.1 + 0.2 + 1.35 + 0.4 + 0.6)
    assert spent.seconds == pytest.approx(
        {"looking": 2.7, "pointing": 1.3, "painting": 0, "typing": 0.6, "homing": 0.4}
    )


def test_the_hand_goes_between_mouse_and_keys_only_when_it_has_to() -> None:
    spent = times.Spent()
    for _ in range(3):
        spent.click()
    spent.keys(0)
    assert spent.seconds["homing"] == 0
    spent.keys()
    spent.keys()
    spent.click()
    assert spent.seconds["homing"] == pytest.approx(0.8)


def test_waits_are_apart() -> None:
    spent = times.Spent()
    spent.wait(2.5)
    assert (spent.waits, spent.total) == (2.5, 0)


@pytest.mark.parametrize(("shortcut", "keys"), [("n", 1), ("Enter", 1), ("Shift+N", 2), ("+", 1)])
def test_shift_is_a_key(shortcut: str, keys: int) -> None:
    assert times.keys_in(shortcut) == keys


def test_steering_takes_length_by_width() -> None:
    path = np.array([[0.0, 0.0], [30.0, 0.0], [30.0, 40.0]])
    assert times.steering_seconds(path, np.full(3, 7.0)) == pytest.approx(0.078 * 70 / 7)
    # The law knows no unit of length.
    assert times.steering_seconds(3 * path, np.full(3, 21.0)) == pytest.approx(0.078 * 10)


def test_steering_through_a_narrowing_tunnel_is_the_integral() -> None:
    x = np.linspace(0, 100, 2001)
    path = np.stack([x, np.zeros_like(x)], axis=1)
    # Of 1 / (20 - 0.15 x) from 0 to 100: ln(20 / 5) / 0.15.
    assert times.steering_seconds(path, 20 - 0.15 * x) == pytest.approx(0.078 * np.log(4) / 0.15, rel=1e-4)
