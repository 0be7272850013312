"""Windows that neighbours of a chart share, and what is decoded in them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentasam.model.core.frame import Frame
from dentasam.model.windows.objects import ObjectPrompt
from dentasam.model.windows.placement import (
    MAX_COARSENESS,
    SHARED_COARSENESS,
    SHARED_MARGIN,
    Box,
    shared_windows,
    window_around,
)
from dentasam.model.windows.window import Window

from .bright_network import BrightNetwork
from .scenes import HEIGHT, WIDTH, Scene, bright, dice

FRAME = Frame.of(1250, 2900)


def row_of_teeth(count: int, width: float = 90, height: float = 250, first: float = 300) -> np.ndarray:
    x = first + width * np.arange(count)
    return np.stack([x, np.full(count, 400.0), x + width, np.full(count, 400 + height)], axis=1)


def shows(window: Window, box: np.ndarray) -> bool:
    height, width = window.size
    x0, y0, x1, y1 = box
    slack = 1e-6 * width
    return (
        window.x <= x0 + slack
        and window.y <= y0 + slack
        and window.x + width >= x1 - slack
        and window.y + height >= y1 - slack
    )


sizes = st.sampled_from([(1250, 2900), (600, 1000), (1000, 600), (64, 64), (2000, 2100)])


@given(sizes, st.lists(st.tuples(*(st.floats(0, 1),) * 2, *(st.floats(0.01, 0.5),) * 2), max_size=12))
def test_every_box_lies_in_its_window_which_is_fine_enough(
    size: tuple[int, int], drawn: list[tuple[float, float, float, float]]
) -> None:
    height, width = size
    frame = Frame.of(height, width)
    boxes = np.array(
        [
            (x * width, y * height, min(x + across, 1) * width, min(y + down, 1) * height)
            for x, y, across, down in sorted(drawn)
        ]
    ).reshape(-1, 4)
    windows = shared_windows(boxes, frame)
    assert len(windows) == len(boxes)
    for box, window in zip(boxes, windows, strict=True):
        alone = window_around(Box(*box), frame, SHARED_MARGIN)
        if window is None:
            assert alone.scale * frame.scale >= MAX_COARSENESS
            continue
        assert shows(window, box)
        coarseness = window.scale * frame.scale
        assert coarseness < MAX_COARSENESS
        if coarseness > SHARED_COARSENESS:
            assert window == alone


def test_neighbours_share_as_long_as_the_window_stays_fine() -> None:
    boxes = row_of_teeth(14)
    windows = shared_windows(boxes, FRAME)
    groups = [[box for box, own in zip(boxes, windows, strict=True) if own == window] for window in set(windows)]
    assert 1 < len(groups) < 14
    # One tooth more would have made each but the last window too coarse.
    groups.sort(key=lambda group: group[0][0])
    for group, following in pairwise(groups):
        joined = Box(*group[0]).joined(Box(*group[-1])).joined(Box(*following[0]))
        assert window_around(joined, FRAME, SHARED_MARGIN).scale * FRAME.scale > SHARED_COARSENESS


def test_a_huge_object_stands_alone_and_ends_the_sharing() -> None:
    boxes = row_of_teeth(3)
    boxes[1] = (380, 10, 2800, 1240)
    first, huge, last = shared_windows(boxes, FRAME)
    assert huge is None
    assert first is not None
    assert last is not None
    assert first == window_around(Box(*boxes[0]), FRAME, SHARED_MARGIN)
    assert last == window_around(Box(*boxes[2]), FRAME, SHARED_MARGIN)


def test_no_objects_have_no_windows() -> None:
    assert shared_windows(np.zeros((0, 4)), FRAME) == []


def prompts(scene: Scene) -> list[ObjectPrompt]:
    rows, columns = np.nonzero(scene.tooth)
    box = (float(columns.min()), float(rows.min()), columns.max() + 1.0, rows.max() + 1.0)
    return [ObjectPrompt(np.array([[*scene.in_tooth, 1.0]]), box) for _ in range(3)]


def test_objects_are_decoded_once_in_the_windows_that_are_given(scene: Scene) -> None:
    network = BrightNetwork()
    image = bright(scene.image, network)
    asked = prompts(scene)
    near = window_around(Box(*(asked[0].box or ())), image.frame)
    far = window_around(Box(1000, 250, 1400, 750), image.frame)
    answers = image.decode_in(asked, [near, None, far])
    assert [answer.window for answer in answers] == [near, None, far]
    assert not any(network.fed_back)
    assert len(network.fed_back) == 2  # one decode of the whole image, and one of all windows
    for answer in answers:
        assert dice(answer.mask.on_image(HEIGHT, WIDTH), scene.tooth) > 0.96
    alone = image.decode_in(asked[2:], [far])[0]
    assert np.allclose(alone.logits, answers[2].logits, atol=1e-4)


@pytest.mark.parametrize("windows", [True, False])
def test_without_windows_the_whole_image_answers(scene: Scene, windows: bool) -> None:
    image = bright(scene.image, windows=windows)
    asked = prompts(scene)
    near = window_around(Box(*(asked[0].box or ())), image.frame)
    given_windows = [None if windows else near] * len(asked)
    whole = bright(scene.image, windows=False).decode(asked)
    for answer, expected in zip(image.decode_in(asked, given_windows), whole, strict=True):
        assert answer.window is None
        assert np.array_equal(answer.logits, expected.logits)
        assert answer.score == expected.score
        assert np.array_equal(answer.mask.on_image(HEIGHT, WIDTH), expected.mask.on_image(HEIGHT, WIDTH))


def test_no_prompts_have_no_answers(scene: Scene) -> None:
    assert bright(scene.image).decode_in([], []) == []
