"""The click that stands for a box in a window."""

from __future__ import annotations

import numpy as np
import pytest

from dentasam.model.core.frame import Frame
from dentasam.model.windows.box_click import box_click
from dentasam.model.windows.network_prompts import network_prompts
from dentasam.model.windows.objects import ObjectPrompt
from dentasam.model.windows.window import Window

from .scenes import HEIGHT, WIDTH, Scene, bright, dice

# Two image pixels to a pixel of the window, eight to a logit.
WINDOW = Window(100.0, 200.0, 2.0, HEIGHT, WIDTH)
BOX = 300.0, 500.0, 401.0, 701.0
MIDDLE = 350.0, 600.0
NONE = np.zeros((0, 3))


def logits(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """The window's logits of a mask that is a rectangle of the image."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[int(y0) : int(y1), int(x0) : int(x1)] = True
    return WINDOW.masks_to_logits(mask[None])[0].numpy() - 0.5


@pytest.mark.parametrize("earlier", [None, logits(*BOX), logits(0, 0, 0, 0)])
def test_it_is_the_middle_of_the_box_where_the_mask_does_not_say_otherwise(earlier: np.ndarray | None) -> None:
    np.testing.assert_array_equal(box_click(BOX, NONE, earlier, WINDOW), [[*MIDDLE, 1]])


def test_it_is_deepest_in_a_mask_that_leaves_the_middle_out() -> None:
    ((x, y, label),) = box_click(BOX, NONE, logits(300, 500, 340, 700), WINDOW)
    # Along the middle of the strip, to one logit.
    assert abs(x - 319.5) <= 8
    assert 515 < y < 685
    assert label == 1


def test_it_keeps_away_from_negative_clicks() -> None:
    negative = np.array([[*MIDDLE, 0.0]])
    ((x, y, _),) = box_click(BOX, negative, logits(*BOX), WINDOW)
    assert np.hypot(x - MIDDLE[0], y - MIDDLE[1]) > 60
    assert BOX[0] <= x <= BOX[2]
    assert BOX[1] <= y <= BOX[3]
    assert len(box_click(BOX, negative, None, WINDOW)) == 0
    far = np.array([[*MIDDLE, 1.0], [5.0, 5.0, 0.0], [310.0, 690.0, 0.0]])
    np.testing.assert_array_equal(box_click(BOX, far, None, WINDOW), [[*MIDDLE, 1]])


def test_the_network_gets_a_click_in_a_window_and_the_box_on_the_whole_image() -> None:
    prompts = [ObjectPrompt(np.array([[310.0, 690.0, 0.0]]), BOX), ObjectPrompt(np.array([[350.0, 600.0, 1.0]]))]
    zoomed = network_prompts(prompts, [WINDOW, WINDOW], [None, None])
    assert zoomed.boxes is None
    assert zoomed.labels.tolist() == [[1, 0], [1, -1]]
    np.testing.assert_allclose(zoomed.points[0, 0], zoomed.points[1, 0], atol=1e-4)
    frame = Frame.of(HEIGHT, WIDTH)
    whole = network_prompts(prompts, [frame, frame], [None, None])
    assert whole.boxes is not None
    assert whole.boxes.isnan().any(dim=1).tolist() == [False, True]
    assert whole.labels.tolist() == [[0], [1]]


def test_a_box_alone_finds_what_lies_in_its_middle(scene: Scene) -> None:
    (answer,) = bright(scene.image).decode([ObjectPrompt(NONE, box=(1100.0, 300.0, 1300.0, 700.0))])
    assert answer.window is not None
    assert dice(answer.mask.on_image(HEIGHT, WIDTH), scene.tooth) > 0.98
