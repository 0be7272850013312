"""Arrays in, arrays out, as in a notebook."""

from __future__ import annotations

import numpy as np
import pytest

from dentasam.errors import PromptError
from dentasam.model.windows.objects import ObjectPrompt

from .scenes import HEIGHT, WIDTH, Scene, bright, dice

NAN = float("nan")


def test_arrays_give_what_objects_give(scene: Scene) -> None:
    image = bright(scene.image)
    clicks = np.array([[scene.in_tooth, scene.in_filling], [scene.in_filling, (NAN, NAN)], [(NAN, NAN), (NAN, NAN)]])
    labels = np.array([[1, 0], [1, -1], [-1, -1]])
    boxes = np.array([[NAN] * 4, [NAN] * 4, [1100.0, 300.0, 1300.0, 700.0]])
    found = image.predict(clicks, labels, boxes)
    expected = image.decode(
        [
            ObjectPrompt(np.array([[*scene.in_tooth, 1], [*scene.in_filling, 0]])),
            ObjectPrompt(np.array([[*scene.in_filling, 1]])),
            ObjectPrompt(np.zeros((0, 3)), (1100.0, 300.0, 1300.0, 700.0)),
        ]
    )
    assert len(found) == 3
    assert found.masks.shape == (3, HEIGHT, WIDTH)
    assert found.scores.shape == (3,)
    for mask, score, answer in zip(found.masks, found.scores, expected, strict=True):
        np.testing.assert_array_equal(mask, answer.mask.on_image(HEIGHT, WIDTH))
        assert score == pytest.approx(answer.score)
    empty = image.predict(np.zeros((0, 1, 2)), np.zeros((0, 1)))
    assert empty.masks.shape == (0, HEIGHT, WIDTH)


def test_a_prediction_is_passed_on(scene: Scene) -> None:
    image = bright(scene.image)
    clicks, labels = np.array([[scene.in_tooth, scene.outside]]), np.array([[1, 0]])
    first = image.predict(clicks[:, :1], labels[:, :1])
    second = image.predict(clicks, labels, previous=first)
    (expected,) = image.decode(
        [ObjectPrompt(np.array([[*scene.in_tooth, 1], [*scene.outside, 0]]), None, first.answers[0])]
    )
    np.testing.assert_array_equal(second.answers[0].logits, expected.logits)


def test_a_choice_is_passed_on(scene: Scene) -> None:
    image = bright(scene.image)
    clicks, labels = np.array([[scene.in_filling]]), np.array([[1]])
    part = image.predict(clicks, labels, prefer_part=True)
    (choices,) = image.choices([ObjectPrompt(np.array([[*scene.in_filling, 1.0]]))])
    np.testing.assert_array_equal(part.masks[0], choices[-1].mask.on_image(HEIGHT, WIDTH))
    assert dice(part.masks[0], scene.filling) > 0.96
    again = image.predict(clicks, labels, previous=choices[-1:])
    assert again.answers[0].window is not None
    assert choices[-1].window is not None
    assert again.answers[0].window != choices[-1].window


def test_what_is_refused(scene: Scene) -> None:
    image = bright(scene.image)
    clicks, labels = np.array([[scene.in_tooth]]), np.array([[1]])
    first = image.predict(clicks, labels)
    with pytest.raises(PromptError, match="of 2 objects, not of 1"):
        image.predict(np.repeat(clicks, 2, axis=0), np.repeat(labels, 2, axis=0), previous=first)
    with pytest.raises(PromptError, match="neither a click nor a box"):
        image.predict(clicks, np.array([[-1]]))
    with pytest.raises(PromptError, match="one for each click"):
        image.predict(clicks, np.array([1]))
