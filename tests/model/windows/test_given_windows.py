"""Objects decoded once in windows that are given."""

from __future__ import annotations

import numpy as np
import pytest

from dentasam.model.windows.objects import ObjectPrompt
from dentasam.model.windows.placement import Box, window_around

from .bright_network import BrightNetwork
from .scenes import HEIGHT, WIDTH, Scene, bright, dice


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
