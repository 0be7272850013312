"""Strokes that a person would make, drawn here by their definition."""

from typing import Any

import numpy as np
import pytest

from dentasam.cli.bench import benchmark

strokes = benchmark("annotator.strokes")
judgement = benchmark("annotator.judgement")
SHAPE = (160, 140)
Y, X = np.mgrid[: SHAPE[0], : SHAPE[1]]


def premolar() -> np.ndarray:
    """A crown and a root that grows thin."""
    crown = ((X - 70) / 17) ** 2 + ((Y - 50) / 20) ** 2 <= 1
    root = (np.abs(X - 70) < 13 * (1 - (Y - 50) / 80)) & (Y >= 50) & (Y < 125)
    found: np.ndarray = crown | root
    return found


def molar() -> np.ndarray:
    """A crown on two roots."""
    crown = (np.abs(X - 70) < 28) & (Y >= 30) & (Y < 70)
    roots = (np.abs(np.abs(X - 70) - 17) < 8 * (1 - (Y - 70) / 90)) & (Y >= 70) & (Y < 130)
    found: np.ndarray = crown | roots
    return found


def drawn(stroke: Any) -> np.ndarray:
    """Pixels whose centre lies within half the brush's diameter of the path."""
    covered = np.zeros(SHAPE, bool)
    for (ax, ay), (bx, by) in zip(stroke.path[:-1], stroke.path[1:], strict=True):
        dx, dy = bx - ax, by - ay
        along = np.clip(((X + 0.5 - ax) * dx + (Y + 0.5 - ay) * dy) / max(dx * dx + dy * dy, 1e-9), 0, 1)
        covered |= np.hypot(X + 0.5 - ax - along * dx, Y + 0.5 - ay - along * dy) <= stroke.size / 2
    return covered


def applied(mask: np.ndarray, stroke: Any) -> np.ndarray:
    from scipy.ndimage import binary_fill_holes

    after = mask | drawn(stroke) if stroke.tool == "brush" else mask & ~drawn(stroke)
    found: np.ndarray = binary_fill_holes(after) if stroke.fills else after
    return found


def test_the_allowed_error_of_a_border_costs_the_allowed_dice() -> None:
    disc = np.hypot(X - 70, Y - 80) <= 50
    for target in (0.9, 0.95):
        error = strokes.border_error(disc, target)
        # R - e for R: Dice is 2 (1 - e/R)² / (1 + (1 - e/R)²), which is 1 - e/R for a thin band.
        assert error == pytest.approx(50 * (1 - target), rel=0.1)


def test_the_size_is_changed_by_steps_of_the_page() -> None:
    # 24 21 18 16 14 12 11 10
    assert strokes.brush_steps(24, 10) == (-7, 10)
    assert strokes.brush_steps(24, 27) == (1, 27)
    assert strokes.brush_steps(24, 24) == (0, 24)
    # 25 is nearer to 24 than to 27.
    assert strokes.brush_steps(24, 25) == (0, 24)
    assert strokes.brush_steps(24, 1)[1] == 2


def painted(mask: np.ndarray, truth: np.ndarray, target: float) -> tuple[np.ndarray, float, int]:
    """The mask at the target, the seconds of all strokes, and their count. Each brings it nearer."""
    size, seconds, count = 24, 0.0, 0
    while judgement.dice(mask, truth) < target:
        stroke = strokes.next_stroke(mask, truth, size, target)
        after = applied(mask, stroke)
        assert judgement.dice(after, truth) > judgement.dice(mask, truth)
        mask, size = after, stroke.size
        seconds, count = seconds + stroke.seconds, count + 1
    return mask, seconds, count


@pytest.mark.parametrize("truth", [premolar(), molar()], ids=["premolar", "molar"])
def test_a_tooth_is_painted_within_ten_strokes_and_slower_the_stricter(truth: np.ndarray) -> None:
    loose, strict = (painted(np.zeros(SHAPE, bool), truth, target) for target in (0.85, 0.95))
    assert loose[2] <= strict[2] <= 10
    # A tooth is outlined neither in a tenth of a second nor in a minute.
    assert 0.3 < loose[1] < strict[1] / 2 < 30


def test_surplus_is_erased_and_a_right_mask_is_left_alone() -> None:
    truth = premolar()
    surplus = (np.abs(X - 110) < 8) & (np.abs(Y - 60) < 15)
    stroke = strokes.next_stroke(truth | surplus, truth, 8, 0.9)
    assert stroke.tool == "eraser"
    after, _, count = painted(truth | surplus, truth, 0.98)
    assert count <= 4
    # The eraser keeps off what is right.
    assert not (truth & ~after).any()
    assert strokes.next_stroke(truth, truth, 8, 0.9) is None
