import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dentasam.labelling.inference.hand_edits import (
    HAND_LOGIT,
    MASK_LOGIT,
    clicks_of_stroke,
    consistent_clicks,
    crop,
    difference,
    mask_logits,
    with_hand_edits,
    with_hand_logits,
)
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.model.core.frame import Frame
from dentasam.model.windows.window import Window

HEIGHT, WIDTH = 60, 90


def rectangle(x: int, y: int, width: int, height: int) -> BoxMask:
    return BoxMask(x, y, np.ones((height, width), bool))


seeds = st.integers(0, 2**31)


def speckles(seed: int) -> BoxMask:
    """A mask in a box anywhere, perhaps without a pixel."""
    rng = np.random.default_rng(seed)
    width, height = rng.integers(0, 40, 2)
    bits = rng.random((height, width)) < rng.random()
    return BoxMask(int(rng.integers(0, WIDTH - width)), int(rng.integers(0, HEIGHT - height)), bits)


@settings(max_examples=100, deadline=None)
@given(seeds, seeds, seeds)
def test_hand_pixels_stay_as_the_hand_left_them(one: int, two: int, three: int) -> None:
    mask, painted, erased = speckles(one), speckles(two), speckles(three)
    whole = [each.on_image(HEIGHT, WIDTH) for each in (mask, painted, erased)]
    found = with_hand_edits(mask, painted, erased).on_image(HEIGHT, WIDTH)
    assert np.array_equal(found, (whole[0] | whole[1]) & ~whole[2])
    assert np.array_equal(with_hand_edits(mask, None, None).on_image(HEIGHT, WIDTH), whole[0])
    assert np.array_equal(difference(mask, painted).on_image(HEIGHT, WIDTH), whole[0] & ~whole[1])


@settings(max_examples=100, deadline=None)
@given(seeds, st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1), st.integers(1, 60), st.integers(1, 40))
def test_a_window_is_cut_from_the_whole_image(seed: int, x: int, y: int, width: int, height: int) -> None:
    mask = speckles(seed)
    x1, y1 = min(WIDTH, x + width), min(HEIGHT, y + height)
    assert np.array_equal(crop(mask, x, y, x1, y1), mask.on_image(HEIGHT, WIDTH)[y:y1, x:x1])


def test_a_window_is_no_view_of_the_mask() -> None:
    mask = rectangle(5, 5, 10, 10)
    crop(mask, 5, 5, 15, 15)[:] = False
    assert mask.area == 100


def test_logits_of_a_mask_are_its_sign_inside_and_outside() -> None:
    frame = Frame.of(512, 1024)
    mask = rectangle(400, 100, 80, 120)
    logits = mask_logits(mask, frame)
    assert logits.shape == frame.logits
    assert logits.dtype == np.float32
    # The mask's edges lie on whole logits: four frame pixels each.
    assert (logits[25:55, 100:120] == MASK_LOGIT).all()
    assert (logits == MASK_LOGIT).sum() == 30 * 20
    assert (logits == -MASK_LOGIT).sum() == logits.size - 30 * 20
    upscaled = frame.logits_to_image(torch.from_numpy(logits)[None])[0].numpy() > 0
    assert np.count_nonzero(upscaled != mask.on_image(512, 1024)) < 0.02 * mask.area


@settings(max_examples=50, deadline=None)
@given(seeds, st.floats(0, WIDTH), st.floats(0, HEIGHT), st.floats(0.05, 0.4), st.integers(0, 60), st.integers(0, 40))
def test_logits_in_a_window_are_those_of_the_whole_masks_coverage(
    seed: int, x: float, y: float, scale: float, left: int, top: int
) -> None:
    window = Window(x - 256 * scale / 2, y - 384 * scale / 2, scale, HEIGHT, WIDTH)
    mask = speckles(seed)
    coverage = window.masks_to_logits(mask.on_image(HEIGHT, WIDTH)[None])[0].numpy()
    np.testing.assert_allclose(mask_logits(mask, window), (2 * coverage - 1) * MASK_LOGIT, atol=1e-3)
    painted = rectangle(left, top, 20, 15)
    logits = np.zeros(window.logits, np.float32)
    found = with_hand_logits(logits, painted, None, window)
    certain = window.masks_to_logits(painted.on_image(HEIGHT, WIDTH)[None])[0].numpy()
    clear = abs(certain - 0.25) > 1e-4
    np.testing.assert_array_equal(found[clear], np.where(certain > 0.25, HAND_LOGIT, 0)[clear])


def test_a_region_too_fine_for_the_whole_image_gives_a_click_in_a_window() -> None:
    frame = Frame.of(1500, 3000)
    window = Window(400.0, 300.0, 0.8, 1500, 3000)
    before = rectangle(450, 350, 80, 150)
    after = with_hand_edits(before, rectangle(530, 400, 7, 30), None)
    after = with_hand_edits(after, rectangle(450, 500, 60, 60), None)
    # A logit is 11.7 pixels of the whole image, and 3.2 in the window.
    fine = [[x >= 530 for x, _, _ in clicks_of_stroke(before, after, view)] for view in (frame, window)]
    assert not any(fine[0])
    assert any(fine[1])


def test_the_hand_overrides_the_logits_only_where_it_was() -> None:
    frame = Frame.of(512, 1024)
    logits = np.random.default_rng(0).normal(size=frame.logits).astype(np.float32) * 5
    painted, erased = rectangle(400, 100, 40, 40), rectangle(600, 200, 40, 40)
    found = with_hand_logits(logits, painted, erased, frame)
    assert (found[25:35, 100:110] >= HAND_LOGIT).all()
    assert (found[50:60, 150:160] <= -HAND_LOGIT).all()
    untouched = np.ones(frame.logits, bool)
    untouched[25:35, 100:110] = untouched[50:60, 150:160] = False
    assert np.array_equal(found[untouched], logits[untouched])
    assert np.array_equal(with_hand_logits(logits, None, BoxMask.empty(), frame), logits)


def test_clicks_of_a_stroke_are_in_image_pixels() -> None:
    frame = Frame.of(1024, 2048)
    before, after = rectangle(800, 300, 101, 101), rectangle(800, 300, 202, 101)
    painted = clicks_of_stroke(before, after, frame)
    assert 1 <= len(painted) <= 3
    assert all(901 <= x <= 1001 and 300 <= y <= 400 and label == 1 for x, y, label in painted)
    # Fifty pixels from each of its edges.
    assert painted[0] == (951.0, 350.0, 1)
    assert clicks_of_stroke(after, before, frame)[0][2] == 0
    assert clicks_of_stroke(before, before, frame) == []
    assert clicks_of_stroke(BoxMask.empty(), BoxMask.empty(), frame) == []


def test_specks_beside_a_stroke_give_no_click() -> None:
    frame = Frame.of(1024, 2048)
    before = BoxMask.empty()
    stroke = np.zeros((200, 300), bool)
    stroke[20:60, 20:60] = True
    stroke[150:154, 200:204] = True
    clicks = clicks_of_stroke(before, BoxMask(500, 400, stroke), frame)
    assert clicks
    assert all(520 <= x < 560 and 420 <= y < 460 for x, y, _ in clicks)


@pytest.mark.parametrize(
    ("click", "kept"),
    [
        ((15.0, 15.0, 1), True),  # on the object, where the hand did nothing
        ((45.0, 15.0, 1), False),  # positive on what was erased
        ((45.0, 15.0, 0), True),
        ((65.5, 15.9, 0), False),  # negative on what was painted
        ((65.5, 15.9, 1), True),
        ((80.0, 50.0, 0), True),  # away from all
        ((39.4, 15.0, 1), True),  # pixel 39 is the last that stayed
        ((39.6, 15.0, 1), False),  # pixel 40 was erased
    ],
)
def test_clicks_that_contradict_the_hand_are_dropped(click: tuple[float, float, int], kept: bool) -> None:
    before, after = rectangle(10, 10, 50, 20), rectangle(10, 10, 30, 20)
    after = with_hand_edits(after, rectangle(62, 10, 10, 10), None)
    changed = (difference(after, before), difference(before, after), None)
    assert consistent_clicks([click], after, changed) == ([click] if kept else [])
