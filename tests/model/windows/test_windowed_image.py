"""Objects decoded in windows: where an answer comes from, what it is worth, and what may be asked of it."""

from __future__ import annotations

import numpy as np
import pytest

from dentasam.data.phantom import generate
from dentasam.model.core.frame import Frame
from dentasam.model.segmenter import Segmenter
from dentasam.model.windows.local_repair import value_at
from dentasam.model.windows.objects import ObjectAnswer, ObjectPrompt
from dentasam.model.windows.window import LogitGrid
from dentasam.model.windows.window_cache import WindowCache
from dentasam.model.windows.windowed_image import WindowedImage

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


def test_where_the_model_is_sure_of_no_choice_the_single_mask_is_given(scene: Scene) -> None:
    """As with weights that never saw an ambiguous click."""
    image = bright(scene.image, BrightNetwork(scores=(0.1, 0.14, 0.12)))
    prompts = [ObjectPrompt(click(scene.in_filling), prefer_part=prefer) for prefer in (False, True)]
    (expected,) = image.decode(prompts[:1])
    assert expected.score > 0.8
    for (found,) in image.choices(prompts):
        assert_same(found, expected)
    # An answer that is there already is not decoded again.
    ((kept,),) = image.choices([ObjectPrompt(prompts[0].clicks, previous=expected)])
    assert kept is expected


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
    image = bright(scene.image, BrightNetwork(scores=(0.9, 0.2, 0.2)))
    (answer,) = image.decode([ObjectPrompt(click(scene.in_filling), prefer_part=True)])
    assert dice(answer.mask.on_image(HEIGHT, WIDTH), scene.tooth) > 0.99


def assert_same(one: ObjectAnswer, other: ObjectAnswer, tolerance: float = 0) -> None:
    assert one.window == other.window
    assert one.score == pytest.approx(other.score, abs=tolerance)
    np.testing.assert_allclose(one.logits, other.logits, rtol=0, atol=tolerance)
    masks = [answer.mask.on_image(HEIGHT, WIDTH) for answer in (one, other)]
    assert (masks[0] != masks[1]).mean() <= tolerance


def mixed_prompts(image: WindowedImage, scene: Scene) -> list[ObjectPrompt]:
    """First clicks, a box, a correction in a window, one of the whole image's answers, and a huge object."""
    first = ObjectPrompt(click(scene.in_tooth))
    (answer,) = image.decode([first])
    (coarse,) = bright(scene.image, windows=False).decode([first])
    corrected = click(scene.in_tooth, scene.in_filling, negative=(scene.outside,))
    return [
        first,
        ObjectPrompt(np.zeros((0, 3)), box=(1100.0, 300.0, 1300.0, 700.0)),
        ObjectPrompt(corrected, previous=answer),
        ObjectPrompt(click(scene.outside)),
        ObjectPrompt(corrected[:2], previous=coarse),
        ObjectPrompt(click(scene.in_tooth), box=(10.0, 10.0, 2300.0, 900.0)),
    ]


def test_several_objects_equal_one_by_one(scene: Scene) -> None:
    image = bright(scene.image)
    prompts = mixed_prompts(image, scene)
    together = image.decode(prompts)
    assert [answer.window is None for answer in together] == [False] * 5 + [True]
    for prompt, answer in zip(prompts, together, strict=True):
        assert_same(bright(scene.image).decode([prompt])[0], answer)
    assert image.decode([]) == []


def test_more_objects_than_are_decoded_at_a_time(scene: Scene) -> None:
    network = BrightNetwork()
    prompts = [ObjectPrompt(click((1200.0, 420.0 + 9 * index))) for index in range(18)]
    answers = bright(scene.image, network).decode(prompts)
    for prompt, answer in zip(prompts, answers, strict=True):
        assert_same(bright(scene.image).decode([prompt])[0], answer)


def test_the_bundled_model_decodes_several_as_one(segmenter: Segmenter) -> None:
    phantom = generate(5, 900, 420)
    image = segmenter.windows(phantom.image)
    prompts = [ObjectPrompt(click(*points)) for points in (((200.0, 200.0),), ((450.0, 160.0), (452.0, 200.0)))]
    first = image.decode(prompts)
    again = [
        ObjectPrompt(np.vstack([click((300.0, 220.0)), prompt.clicks]), previous=answer)
        for prompt, answer in zip(prompts, first, strict=True)
    ]
    again.append(prompts[0])
    together = image.decode(again)
    for prompt, answer in zip(again, together, strict=True):
        (alone,) = segmenter.windows(phantom.image).decode([prompt])
        assert alone.window == answer.window
        np.testing.assert_allclose(alone.logits, answer.logits, atol=2e-4)
        assert alone.score == pytest.approx(answer.score, abs=1e-5)


def test_a_correction_is_averaged_with_the_answer_before_in_the_same_window_alone(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    phantom = generate(5, 900, 420)
    image = segmenter.windows(phantom.image, repair=False)
    monkeypatch.setattr("dentasam.model.windows.blending.MIN_IOU", 0.0)
    (first,) = image.decode([ObjectPrompt(click((450.0, 160.0)))])
    assert first.answered == 1
    clicks = click((450.0, 160.0), (452.0, 200.0))
    (found,) = image.decode([ObjectPrompt(clicks, previous=first)])
    monkeypatch.setattr("dentasam.model.windows.blending.MIN_WEIGHT", 1.0)
    (decoded,) = image.decode([ObjectPrompt(clicks, previous=first)])
    assert (found.answered, found.window) == (2, first.window) == (2, decoded.window)
    assert first.window is not None
    x, y = first.window.grid.index_of(np.array([452.0, 200.0])).round().astype(int)
    assert found.logits[y, x] == pytest.approx(decoded.logits[y, x], abs=0.05)
    corner = -1, 0  # far from the click
    assert found.logits[corner] == pytest.approx(0.7 * first.logits[corner] + 0.3 * decoded.logits[corner], abs=1e-4)
    assert np.abs(found.logits - decoded.logits).max() > 0.05
    # In another window, where those before are cut off, they count for nothing.
    (moved,) = image.decode([ObjectPrompt(click((450.0, 160.0), (320.0, 200.0)), previous=first)])
    assert moved.window != first.window
    monkeypatch.setattr("dentasam.model.windows.blending.MIN_WEIGHT", 0.3)
    (same,) = image.decode([ObjectPrompt(click((450.0, 160.0), (320.0, 200.0)), previous=first)])
    assert_same(same, moved)


def test_without_windows_and_repair_it_is_predict(segmenter: Segmenter) -> None:
    phantom = generate(5, 900, 420)
    embedding = segmenter.encode(phantom.image)
    clicks = np.array([[[200.0, 200.0], [240.0, 180.0]], [[450.0, 160.0], [452.0, 200.0]]])
    labels = np.array([[1, 0], [1, 1]])
    first = segmenter.predict(embedding, clicks[:, :1], labels[:, :1])
    second = segmenter.predict(embedding, clicks, labels, logits=first.logits)
    plain = segmenter.windows(phantom.image, embedding, windows=False, repair=False)
    before = plain.predict(clicks[:, :1], labels[:, :1])
    after = plain.predict(clicks, labels, previous=before)
    for expected, found in ((first, before), (second, after)):
        np.testing.assert_allclose([answer.logits for answer in found.answers], expected.logits, atol=1e-4)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
        assert (found.masks != expected.masks).mean() < 1e-5
        # That there is something to compare: which of the masks a model leaves empty is its own affair.
        assert expected.masks.any()


def test_an_answer_of_a_window_is_taken_without_windows(scene: Scene) -> None:
    prompt = ObjectPrompt(click(scene.in_tooth))
    (answer,) = bright(scene.image).decode([prompt])
    (whole,) = bright(scene.image, windows=False).decode([ObjectPrompt(prompt.clicks, previous=answer)])
    assert whole.window is None
    assert dice(whole.mask.on_image(HEIGHT, WIDTH), scene.tooth) > 0.96


def test_sixteen_bits_see_the_gray_range_of_the_whole_image(scene: Scene) -> None:
    """A window is as bright as the image there, although all that is brightest lies outside the window."""
    image = scene.image.astype(np.uint16) * 100 + 1000
    image[:300, :300] = 30000
    prompt = ObjectPrompt(click(scene.in_filling))
    (whole,) = bright(image, windows=False).decode([prompt])
    (zoomed,) = bright(image).decode([prompt])
    assert zoomed.window is not None
    assert not zoomed.window.holds(300, 300)
    for point in (scene.in_filling, scene.in_tooth):
        grids = LogitGrid.of_frame(Frame.of(HEIGHT, WIDTH)), zoomed.window.grid
        seen = [
            value_at(answer.logits, *grid.index_of(np.array(point)))
            for answer, grid in zip((whole, zoomed), grids, strict=True)
        ]
        # A tenth is one gray value of 255.
        assert seen[0] == pytest.approx(seen[1], abs=0.1)


def test_a_mask_that_its_window_cuts_off_is_decoded_in_a_larger_one(scene: Scene) -> None:
    """The box ends within the tooth, and the network sees all of it."""
    network = BrightNetwork()
    box = 1140.0, 380.0, 1260.0, 560.0
    (answer,) = bright(scene.image, network).decode([ObjectPrompt(click(scene.in_filling), box=box)])
    assert network.encoded == [1, 1]
    assert dice(answer.mask.on_image(HEIGHT, WIDTH), scene.tooth) > 0.99


def test_every_click_is_on_its_side_after_many(scene: Scene) -> None:
    """Clicks close to each other and on the same pixel, against a network that ignores them."""
    image = bright(scene.image)
    clicks, answer = np.zeros((0, 3)), None
    near = [(1204, 415, 1), (1204, 416, 0), (1205, 415, 0), (1204, 415, 0), (1203, 415, 1)]
    for newest in [*near, (1340, 520, 1), (1341, 520, 0)]:
        clicks = np.vstack([clicks, newest]).astype(float)
        (answer,) = image.decode([ObjectPrompt(clicks, previous=answer)])
        latest = {(x, y): label for x, y, label in clicks}
        assert all(answer.mask.at(x, y) == bool(label) for (x, y), label in latest.items())


def test_an_image_keeps_its_windows_in_the_cache_that_it_is_given(scene: Scene) -> None:
    network, cache = BrightNetwork(), WindowCache()
    image = bright(scene.image, network)
    prompt = ObjectPrompt(click(scene.in_tooth))
    (expected,) = image.decode([prompt])
    encoded = len(network.encoded)
    assert encoded > 0
    (again,) = image.with_cache(cache).decode([prompt])
    assert len(cache) > 0
    # What the first cache holds is not looked for, nor are its windows pushed out.
    assert len(network.encoded) == 2 * encoded
    assert np.array_equal(again.logits, expected.logits)
    image.decode([prompt])
    assert len(network.encoded) == 2 * encoded
