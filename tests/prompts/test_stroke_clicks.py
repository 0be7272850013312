import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from dentasam.errors import PromptError
from dentasam.prompts.stroke_clicks import STROKE_CLICKS, stroke_clicks


def disc(x: int, y: int, radius: int, height: int = 80, width: int = 160) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    cv2.circle(mask, (x, y), radius, 1, -1)
    return mask.astype(bool)


def test_painted_region_gets_a_positive_and_erased_a_negative_click_at_its_centre() -> None:
    before = disc(40, 40, 20)
    painted = stroke_clicks(before, before | disc(100, 30, 9))
    assert (painted.points.tolist(), painted.labels.tolist()) == ([[100, 30]], [1])
    erased = stroke_clicks(before, before & ~disc(40, 40, 6))
    assert (erased.points.tolist(), erased.labels.tolist()) == ([[40, 40]], [0])


def test_larger_regions_come_first_and_three_clicks_are_the_limit() -> None:
    before = disc(30, 40, 12)
    after = before & ~disc(30, 40, 8)
    for x, radius in ((70, 5), (95, 9), (120, 7), (145, 6)):
        after |= disc(x, 20, radius)
    found = stroke_clicks(before, after)
    assert found.points.tolist() == [[95, 20], [30, 40], [120, 20]]
    assert found.labels.tolist() == [1, 0, 1]


def test_a_shallow_region_gives_no_click_beside_a_deep_one() -> None:
    before = np.zeros((80, 160), bool)
    after = disc(40, 40, 10)
    after[5:7, 80:150] = True
    assert stroke_clicks(before, after, min_depth=3).points.tolist() == [[40, 40]]
    assert len(stroke_clicks(before, after, min_depth=1).points) == 3


def test_where_all_is_shallow_the_deepest_place_gives_the_one_click() -> None:
    before = np.zeros((40, 60), bool)
    after = before.copy()
    after[5, 5:50] = True
    after[20:23, 10:20] = True
    found = stroke_clicks(before, after, min_depth=8)
    assert found.labels.tolist() == [1]
    assert found.points[0, 1] == 21


def test_one_long_region_gets_peaks_that_lie_apart() -> None:
    before = np.zeros((80, 160), bool)
    after = before.copy()
    after[30:45, 10:150] = True
    found = stroke_clicks(before, after, min_depth=2)
    assert len(found.points) == 3
    gaps = np.linalg.norm(found.points[:, None] - found.points[None], axis=-1)[np.triu_indices(3, 1)]
    assert gaps.min() >= 16
    assert (found.points[:, 1] == 37).all()


def test_no_change_no_click_and_other_shapes_are_refused() -> None:
    mask = disc(40, 40, 9)
    assert stroke_clicks(mask, mask).points.shape == (0, 2)
    with pytest.raises(PromptError, match="of the same shape"):
        stroke_clicks(mask, mask[:-1])


masks = st.integers(0, 2**31).map(
    lambda seed: ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(40, 64)), 3)
)


@settings(max_examples=60, deadline=None)
@given(masks, masks, st.floats(1, 6))
def test_every_click_lies_in_a_change_and_says_what_the_hand_did(
    one: np.ndarray, two: np.ndarray, depth: float
) -> None:
    before, after = one > 0, two > 0
    found = stroke_clicks(before, after, min_depth=depth)
    assert (before != after).any() <= len(found.points) <= STROKE_CLICKS
    columns, rows = found.points.astype(int).T
    assert (before[rows, columns] != after[rows, columns]).all()
    assert (after[rows, columns] == (found.labels == 1)).all()
    for index, point in enumerate(found.points):
        assert all(np.linalg.norm(point - other) >= depth for other in found.points[:index])
