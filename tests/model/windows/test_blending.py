"""A correction counts fully at its click, in part elsewhere, and wholly where it changes what is meant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dentasam.model.windows.blending import MIN_WEIGHT, SPREAD, blended
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
CLICK, SECOND = (150.0, 110.0), (130.0, 330.0)


def prompt(answered: int | None = 1, window: Window | None = WINDOW, before: np.ndarray = BEFORE) -> ObjectPrompt:
    rows = np.array([[180.0, 250.0, 1.0], [*CLICK, 0.0], [*SECOND, 1.0]])
    mask = BoxedMask(0, 0, np.zeros((1, 1), bool))
    return ObjectPrompt(rows, None, ObjectAnswer(mask, before, 0.9, window, answered=answered))


@pytest.mark.parametrize(("answered", "new"), [(2, [SECOND]), (1, [CLICK, SECOND])])
def test_a_correction_is_averaged_with_what_was_before_by_the_distance_from_its_new_clicks(
    answered: int, new: list[tuple[float, float]]
) -> None:
    found = blended(prompt(answered), WINDOW, DECODED)
    places = WINDOW.grid.index_of(np.array(new))
    spread = SPREAD * np.sqrt((BEFORE > 0).sum())
    for row, column in ((21, 12), (22, 45), (82, 30), (50, 30)):
        distances = [(row - y) ** 2 + (column - x) ** 2 for x, y in places]
        weight = max(MIN_WEIGHT, np.exp(-min(distances) / (2 * spread**2)))
        expected = weight * DECODED[row, column] + (1 - weight) * BEFORE[row, column]
        assert found[row, column] == pytest.approx(expected, rel=1e-5)
    assert found.dtype == np.float32
    for x, y in places:
        at_click = round(float(y)), round(float(x))
        assert found[at_click] == pytest.approx(DECODED[at_click], abs=0.1)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(ObjectPrompt(prompt().clicks), id="no answer before"),
        pytest.param(prompt(answered=None), id="a mask that the model did not give"),
        pytest.param(prompt(answered=3), id="no new click"),
        pytest.param(prompt(window=None), id="an answer of the whole image"),
        pytest.param(prompt(window=replace(WINDOW, x=101.0)), id="another window"),
        pytest.param(prompt(before=logits(slice(2, 20))), id="another object is meant"),
    ],
)
def test_everything_else_stays_as_it_was_decoded(asked: ObjectPrompt) -> None:
    assert blended(asked, WINDOW, DECODED) is DECODED


def test_empty_masks() -> None:
    nothing = np.full(SHAPE, -6.0, np.float32)
    assert np.array_equal(blended(prompt(before=nothing), WINDOW, nothing), nothing)
    assert blended(prompt(before=nothing), WINDOW, DECODED) is DECODED
