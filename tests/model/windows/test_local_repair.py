"""Every click ends on its side, whatever the logits say and wherever the other clicks are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentasam.model.windows.boxed_mask import BoxedMask, clicked_pixel
from dentasam.model.windows.local_repair import repaired, value_at, with_clicked_pixels

H, W = 24, 18
coordinate = st.floats(0, 1, width=32)
clicks = st.lists(st.tuples(coordinate, coordinate, st.booleans()), min_size=1, max_size=11)


def logits_from(seed: int, spread: float) -> np.ndarray:
    return (spread * np.random.default_rng(seed).normal(size=(H, W))).astype(np.float32)


@given(clicks, st.integers(0, 1000), st.sampled_from([0.1, 3.0, 20.0]))
def test_the_newest_click_is_obeyed_and_none_is_lost_that_is_a_logit_away(
    drawn: list[tuple[float, float, bool]], seed: int, spread: float
) -> None:
    points = np.array([(x * (W - 1), y * (H - 1)) for x, y, _ in drawn])
    labels = np.array([int(positive) for *_, positive in drawn])
    found, contradicted = repaired(logits_from(seed, spread), points, labels)
    assert contradicted.shape == (len(points),)
    for index, (point, label) in enumerate(zip(points, labels, strict=True)):
        opposite = points[labels != label]
        apart = np.abs(opposite - point).max(axis=1, initial=0) if len(opposite) else np.array([99.0])
        newest = index == len(points) - 1
        if newest or apart.min() >= 2:
            assert (1 if label else -1) * value_at(found, *point) > 0


@given(clicks, st.integers(0, 1000))
def test_logits_that_obey_are_left_alone(drawn: list[tuple[float, float, bool]], seed: int) -> None:
    points = np.array([(x * (W - 1), y * (H - 1)) for x, y, _ in drawn])
    found, _ = repaired(logits_from(seed, 3.0), points[:1], np.array([1]))
    again, contradicted = repaired(found, points[:1], np.array([1]))
    assert not contradicted.any()
    np.testing.assert_array_equal(again, found)


def test_a_repair_is_local() -> None:
    logits = np.full((96, 64), -4.0, np.float32)
    found, contradicted = repaired(logits, np.array([[30.0, 40.0]]), np.array([1]))
    assert contradicted.tolist() == [True]
    assert found[40, 30] > 0
    rows, columns = np.nonzero(found > 0)
    assert np.hypot(rows - 40, columns - 30).max() < 6
    assert found[40, 50] == pytest.approx(-4, abs=1e-3)


def test_clicks_outside_the_map_and_absent_ones_change_nothing() -> None:
    logits = np.full((H, W), -4.0, np.float32)
    points = np.array([[-3.0, 5.0], [W + 1.0, 5.0], [5.0, 5.0]])
    found, contradicted = repaired(logits, points, np.array([1, 1, -1]))
    assert not contradicted.any()
    np.testing.assert_array_equal(found, logits)


pixel = st.tuples(st.integers(0, 39), st.integers(0, 29), st.booleans())


@given(st.lists(pixel, min_size=1, max_size=11), st.integers(0, 1000))
def test_every_clicked_pixel_is_on_its_side(drawn: list[tuple[int, int, bool]], seed: int) -> None:
    """Of two clicks on one pixel the newer counts."""
    bits = np.random.default_rng(seed).random((12, 17)) > 0.5
    mask = BoxedMask(9, 6, bits).tight()
    given_clicks = np.array([(x, y, float(positive)) for x, y, positive in drawn])
    found = with_clicked_pixels(mask, given_clicks, 30, 40)
    newest = {(x, y): positive for x, y, positive in drawn}
    assert all(found.at(x, y) == positive for (x, y), positive in newest.items())
    assert found.x >= 0
    assert found.y >= 0
    assert found.x + found.bits.shape[1] <= 40
    assert found.y + found.bits.shape[0] <= 30
    # Pixels further than a disc from every click are as they were.
    rows, columns = np.indices((30, 40))
    far = np.all([np.hypot(columns - x, rows - y) > 4 for x, y, _ in drawn], axis=0)
    np.testing.assert_array_equal(found.on_image(30, 40)[far], mask.on_image(30, 40)[far])


def test_an_obeyed_mask_is_returned_as_it_is() -> None:
    mask = BoxedMask(5, 5, np.ones((4, 4), bool))
    obeyed = np.array([[6.0, 6.0, 1.0], [20.0, 20.0, 0.0], [1.0, 1.0, -1.0]])
    assert with_clicked_pixels(mask, obeyed, 30, 40) is mask


def test_clicks_at_and_beyond_the_image_border() -> None:
    """Pixel i reaches from i - 0.5 up to i + 0.5; a click on no pixel changes none."""
    mask = BoxedMask(5, 5, np.ones((4, 4), bool))
    outside = np.array([[39.5, 29.5, 1.0], [-0.6, 3.0, 1.0], [-9.0, -9.0, 1.0], [60.0, 10.0, 1.0]])
    assert with_clicked_pixels(mask, outside, 30, 40) is mask
    last = with_clicked_pixels(mask, np.array([[39.4, 29.4, 1.0], [-0.5, -0.5, 1.0]]), 30, 40)
    assert last.at(39, 29)
    assert last.at(0, 0)
    assert last.on_image(30, 40).shape == (30, 40)


@pytest.mark.parametrize(("x", "pixel"), [(0.0, 0), (0.49, 0), (0.5, 1), (1.5, 2), (2.5, 3), (-0.5, 0), (-0.51, -1)])
def test_a_click_is_on_the_pixel_whose_centre_is_nearest(x: float, pixel: int) -> None:
    assert clicked_pixel(x, x) == (pixel, pixel)
