"""What the next click may be averaged with: the model's own logits, where nobody has changed them."""

from __future__ import annotations

import numpy as np
import pytest

from dentasam.labelling.inference.previous_answer import previous_answer
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.model.core.frame import Frame
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.objects import ObjectAnswer
from dentasam.model.windows.placement import Box, box_window

HEIGHT, WIDTH = 600, 1200
FRAME = Frame.of(HEIGHT, WIDTH)
MASK = BoxMask(500, 200, np.ones((160, 70), bool))
CLICKS = np.array([[530.0, 280.0, 1.0], [560.0, 350.0, 0.0]])
STROKE = BoxMask(560, 300, np.ones((20, 20), bool))
NOTHING = BoxMask(560, 300, np.zeros((20, 20), bool))


@pytest.fixture
def known() -> ObjectAnswer:
    window = box_window(Box(500, 200, 570, 360), FRAME)
    assert window is not None
    logits = np.full(window.logits, -3.0, np.float32)
    return ObjectAnswer(BoxedMask(MASK.x, MASK.y, MASK.bits), logits, 0.8, window, answered=1)


@pytest.mark.parametrize(
    ("edits", "answered"),
    [
        pytest.param([], 1, id="clicks alone"),
        pytest.param([(NOTHING, None), (None, None)], 1, id="an empty stroke"),
        pytest.param([(STROKE, None)], None, id="painted"),
        pytest.param([(None, MASK), (NOTHING, None)], None, id="erased"),
    ],
)
def test_logits_changed_by_hand_are_not_the_models(
    known: ObjectAnswer, edits: list[tuple[BoxMask | None, BoxMask | None]], answered: int | None
) -> None:
    found = previous_answer(known, MASK, MASK, CLICKS, FRAME, windows=True, edits=edits)
    assert (found.window, found.answered) == (known.window, answered)


def test_a_mask_of_anybody_else_has_no_logits_of_the_model() -> None:
    assert previous_answer(None, MASK, MASK, CLICKS, FRAME, windows=True).answered is None


def test_logits_of_another_window_are_no_longer_the_models(known: ObjectAnswer) -> None:
    far = np.array([[530.0, 280.0, 1.0], [700.0, 500.0, 1.0]])
    found = previous_answer(known, MASK, MASK, far, FRAME, windows=True)
    assert found.window != known.window
    assert found.answered is None
