import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from dentasam.errors import PromptError
from dentasam.prompts.correction_clicks import correction_clicks, interior_centre


def disc(height: int, width: int, x: int, y: int, radius: int) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    cv2.circle(mask, (x, y), radius, 1, -1)
    return mask.astype(bool)


def test_first_click_of_a_disc_is_its_centre() -> None:
    masks = np.stack([disc(60, 80, 30, 20, 9), disc(60, 80, 50, 40, 12)])
    assert interior_centre(masks).tolist() == [[30, 20], [50, 40]]


def test_image_border_counts_as_an_edge() -> None:
    mask = np.zeros((1, 20, 30), bool)
    mask[0, :, :9] = True
    assert interior_centre(mask)[0, 0] == 4


def test_empty_mask_has_no_interior() -> None:
    with pytest.raises(PromptError, match="object 1 has an empty mask"):
        interior_centre(np.stack([disc(20, 20, 9, 9, 3), np.zeros((20, 20), bool)]))


def test_missed_region_gets_a_positive_and_surplus_a_negative_click() -> None:
    truth = np.stack([disc(64, 96, 30, 30, 15)] * 2)
    grown = truth[1] | disc(64, 96, 75, 30, 10)
    shrunk = truth[0] & ~disc(64, 96, 30, 30, 6)
    clicks = correction_clicks(np.stack([shrunk, grown]), truth)
    assert clicks.labels.tolist() == [1, 0]
    assert clicks.points.tolist() == [[30, 30], [75, 30]]
    assert clicks.found.all()


def test_larger_region_wins_over_many_small_ones() -> None:
    truth = disc(64, 128, 30, 30, 15)
    surplus = disc(64, 128, 100, 30, 8)
    specks = np.zeros_like(truth)
    specks[24:36:2, 24:36:2] = True
    clicks = correction_clicks(((truth & ~specks) | surplus)[None], truth[None])
    assert clicks.labels[0] == 0
    assert clicks.points[0].tolist() == [100, 30]


def test_perfect_mask_needs_no_click() -> None:
    truth = disc(32, 32, 16, 16, 8)[None]
    clicks = correction_clicks(truth, truth)
    assert not clicks.found.any()


def test_shapes_must_agree() -> None:
    with pytest.raises(PromptError, match="differ in shape"):
        correction_clicks(np.zeros((1, 4, 4), bool), np.zeros((2, 4, 4), bool))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_click_depth_equals_scipys_distance_transform(seed: int) -> None:
    rng = np.random.default_rng(seed)
    field = cv2.GaussianBlur(rng.standard_normal((40, 56)).astype(np.float32), (0, 0), 3)
    mask = field > 0.05
    if not mask.any():
        return
    x, y = interior_centre(mask[None])[0].astype(int)
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    assert depth[y, x] == pytest.approx(depth.max(), abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_drawn_click_is_a_wrong_pixel_with_the_right_label(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, prediction = rng.random((2, 3, 12, 17)) > 0.5
    clicks = correction_clicks(prediction, truth, rng)
    for index in np.flatnonzero(clicks.found):
        x, y = clicks.points[index].astype(int)
        assert prediction[index, y, x] != truth[index, y, x]
        assert clicks.labels[index] == truth[index, y, x]


def test_drawn_clicks_cover_the_wrong_pixels_evenly() -> None:
    truth = np.zeros((1, 6, 6), bool)
    truth[0, 2:4, 1:5] = True
    rng = np.random.default_rng(0)
    hits = np.zeros((6, 6))
    for _ in range(4000):
        x, y = correction_clicks(np.zeros_like(truth), truth, rng).points[0].astype(int)
        hits[y, x] += 1
    assert (hits[truth[0]] > 400).all()
    assert hits[~truth[0]].sum() == 0
