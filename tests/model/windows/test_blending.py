"""A correction counts fully at its click, in part elsewhere, and wholly where it changes what is meant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dentasam.model.windows.blending import LEAST, SPREAD, blended
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.objects import ObjectAnswer, ObjectPrompt
from dentasam.model.windows.window import COLS, ROWS, Window

WINDOW = Window(100.0, 50.0, 1.0, ROWS * 16, COLS * 16)
SHAPE = (4 * ROWS, 4 * COLS)


def logits(rows: slice, columns: slice = slice(10, 50)) -> np.ndarray:
    values = np.full(SHAPE, -6.0, np.float32)
    values[rows, columns] = 6.0
    return values


BEFORE, DECODED = logits(slice(20, 80)), logits(slice(24, 84))
CLICK = (150.0, 110.0)


def prompt(clicks: int = 2, window: Window | None = WINDOW, previous: bool = True) -> ObjectPrompt:
    rows = np.array([[180.0, 250.0, 1.0], [*CLICK, 0.0]])[:clicks]
    answer = ObjectAnswer(BoxedMask(0, 0, np.zeros((1, 1), bool)), BEFORE, 0.9, window)
    return ObjectPrompt(rows, None, answer if previous else None)


def test_a_correction_is_averaged_with_what_was_before_by_the_distance_from_its_click() -> None:
    found = blended(prompt(), WINDOW, BEFORE, DECODED)
    x, y = WINDOW.grid.index_of(np.array(CLICK))
    spread = SPREAD * np.sqrt((BEFORE > 0).sum())
    for row, column in ((21, 12), (22, 45), (82, 30), (50, 30)):
        weight = max(LEAST, np.exp(-((row - y) ** 2 + (column - x) ** 2) / (2 * spread**2)))
        expected = weight * DECODED[row, column] + (1 - weight) * BEFORE[row, column]
        assert found[row, column] == pytest.approx(expected, rel=1e-5)
    assert found.dtype == np.float32
    at_click = found[round(float(y)), round(float(x))]
    assert at_click == pytest.approx(DECODED[round(float(y)), round(float(x))], abs=0.1)


@pytest.mark.parametrize(
    ("asked", "before"),
    [
        pytest.param(prompt(clicks=1), BEFORE, id="the first click"),
        pytest.param(prompt(previous=False), BEFORE, id="no answer before"),
        pytest.param(prompt(window=None), BEFORE, id="an answer of the whole image"),
        pytest.param(prompt(), None, id="nothing fed back"),
        pytest.param(prompt(), logits(slice(2, 20)), id="another object is meant"),
    ],
)
def test_everything_else_stays_as_it_was_decoded(asked: ObjectPrompt, before: np.ndarray | None) -> None:
    assert blended(asked, WINDOW, before, DECODED) is DECODED


def test_an_empty_mask_is_no_error() -> None:
    nothing = np.full(SHAPE, -6.0, np.float32)
    assert np.array_equal(blended(prompt(), WINDOW, nothing, nothing), nothing)
    assert blended(prompt(), WINDOW, nothing, DECODED) is DECODED


def test_it_does_not_depend_on_where_the_window_lies() -> None:
    moved = replace(WINDOW, x=WINDOW.x + 40, y=WINDOW.y - 16)
    asked = prompt()
    clicks = asked.clicks + np.array([40.0, -16.0, 0.0])
    found = blended(replace(asked, clicks=clicks), moved, BEFORE, DECODED)
    np.testing.assert_allclose(found, blended(asked, WINDOW, BEFORE, DECODED), rtol=1e-6)
