"""Objects decoded in windows: where an answer comes from, what it is worth, and what may be asked of it."""

from __future__ import annotations

import numpy as np

from dentasam.model.windows.objects import ObjectPrompt

from .bright_network import BrightNetwork
from .scenes import HEIGHT, WIDTH, Scene, bright, dice


def click(*points: tuple[float, float], negative: tuple[tuple[float, float], ...] = ()) -> np.ndarray:
    return np.array([(*point, 1.0) for point in points] + [(*point, 0.0) for point in negative])


def test_the_window_is_finer_than_the_whole_image(scene: Scene) -> None:
    prompt = ObjectPrompt(click(scene.in_tooth))
    (whole,) = bright(scene.image, windows=False).decode([prompt])
    (zoomed,) = bright(scene.image).decode([prompt])
    assert whole.window is None
    assert zoomed.window is not None
    masks = [answer.mask.on_image(HEIGHT, WIDTH) for answer in (whole, zoomed)]
    assert dice(masks[0], scene.tooth) > 0.96
    assert dice(masks[1], scene.tooth) > max(0.99, dice(masks[0], scene.tooth))


def test_the_choices_of_a_click_on_a_filling(scene: Scene) -> None:
    network = BrightNetwork()
    (choices,) = bright(scene.image, network).choices([ObjectPrompt(click(scene.in_filling))])
    # The second and the third level, 188 and 192, both give the filling.
    tooth, filling = choices
    assert dice(tooth.mask.on_image(HEIGHT, WIDTH), scene.tooth) > 0.99
    assert dice(filling.mask.on_image(HEIGHT, WIDTH), scene.filling) > 0.96
    assert filling.score == np.float32(0.85)
    assert not any(network.fed_back)


def test_a_part_is_followed_in_a_smaller_window(scene: Scene) -> None:
    image = bright(scene.image)
    prompt = ObjectPrompt(click(scene.in_filling))
    ((_, filling),) = image.choices([prompt])
    assert filling.window is not None
    seen = image._place(ObjectPrompt(prompt.clicks, previous=filling))
    assert seen is not None
    assert seen.window is not None
    assert seen.window.scale < filling.window.scale / 1.3
    assert seen.logits is not None
    assert seen.window.mask(seen.logits).at(*scene.in_filling)


def test_clicks_of_choices_are_obeyed(scene: Scene) -> None:
    """The network ignores negative clicks; in each choice the clicked pixel is not in the mask."""
    clicks = click(scene.in_filling, negative=((1204.0, 404.0),))
    (choices,) = bright(scene.image).choices([ObjectPrompt(clicks)])
    assert len(choices) >= 2
    for answer in choices:
        assert answer.mask.at(*scene.in_filling)
        assert not answer.mask.at(1204, 404)
        assert answer.repairs == 1
    (unrepaired,) = bright(scene.image, repair=False).choices([ObjectPrompt(clicks)])
    assert all(answer.mask.at(1204, 404) for answer in unrepaired)


def test_choices_after_an_answer_look_where_it_did(scene: Scene) -> None:
    network = BrightNetwork()
    image = bright(scene.image, network)
    prompt = ObjectPrompt(click(scene.in_filling))
    (answer,) = image.decode([prompt])
    encoded = list(network.encoded)
    (choices,) = image.choices([ObjectPrompt(prompt.clicks, previous=answer)])
    assert [choice.window for choice in choices] == [answer.window] * 2
    assert network.encoded == encoded


def test_choices_of_several_objects_equal_those_of_each(scene: Scene) -> None:
    prompts = [
        ObjectPrompt(click(scene.in_filling)),
        ObjectPrompt(click(scene.in_tooth, scene.in_filling)),
        ObjectPrompt(click(scene.in_tooth), box=(1100.0, 300.0, 1300.0, 700.0)),
    ]
    together = bright(scene.image).choices(prompts)
    for prompt, found in zip(prompts, together, strict=True):
        (alone,) = bright(scene.image).choices([prompt])
        assert len(alone) == len(found)
        for one, other in zip(alone, found, strict=True):
            assert (one.score, one.window) == (other.score, other.window)
            np.testing.assert_array_equal(one.logits, other.logits)
            np.testing.assert_array_equal(one.mask.on_image(HEIGHT, WIDTH), other.mask.on_image(HEIGHT, WIDTH))
    assert bright(scene.image).choices([]) == []


def test_a_part_is_preferred_at_the_first_click_alone(scene: Scene) -> None:
    image = bright(scene.image)
    wanted = ObjectPrompt(click(scene.in_filling), prefer_part=True)
    plain = ObjectPrompt(click(scene.in_filling))
    part, whole = image.decode([wanted, plain])
    assert dice(part.mask.on_image(HEIGHT, WIDTH), scene.filling) > 0.96
    assert dice(whole.mask.on_image(HEIGHT, WIDTH), scene.tooth) > 0.99
    # The newest click corrects the answer that it was given for.
    (later,) = image.decode([ObjectPrompt(wanted.clicks, previous=whole, prefer_part=True)])
    assert dice(later.mask.on_image(HEIGHT, WIDTH), scene.tooth) > 0.99


def test_a_part_that_the_model_is_unsure_of_is_not_preferred(scene: Scene) -> None:
    image = bright(scene.image, BrightNetwork(scores=(0.9, 0.5, 0.5)))
    (answer,) = image.decode([ObjectPrompt(click(scene.in_filling), prefer_part=True)])
    assert dice(answer.mask.on_image(HEIGHT, WIDTH), scene.tooth) > 0.99
