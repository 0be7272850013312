"""From maps to objects: where a peak stands, and what becomes of boxes that cover each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dentasam.model.chart.detections import box_overlaps, detections, not_covered
from dentasam.model.chart.finder import CELL, IMPLANT_KIND, TOOTH

from .maps import empty_maps, mark

corners = arrays(np.int64, st.tuples(st.integers(0, 12), st.just(4)), elements=st.integers(0, 20))


def ordered(boxes: np.ndarray) -> np.ndarray:
    """Whole-number boxes with x0 <= x1 and y0 <= y1."""
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    return np.concatenate([low, high], axis=1)


def pixels(box: np.ndarray) -> np.ndarray:
    mask = np.zeros((20, 20), bool)
    x0, y0, x1, y1 = box
    mask[y0:y1, x0:x1] = True
    return mask


@given(corners, corners)
def test_overlaps_are_those_of_counted_pixels(some: np.ndarray, others: np.ndarray) -> None:
    some, others = ordered(some), ordered(others)
    found = box_overlaps(some.astype(np.float32), others.astype(np.float32))
    assert found.shape == (len(some), len(others))
    for row, one in enumerate(some):
        for column, other in enumerate(others):
            a, b = pixels(one), pixels(other)
            either = int((a | b).sum())
            assert found[row, column] == pytest.approx((a & b).sum() / either if either else 0.0)


@given(corners, st.sampled_from([0.0, 0.3, 0.6]))
def test_of_boxes_that_overlap_the_first_stays(boxes: np.ndarray, limit: float) -> None:
    boxes = ordered(boxes)
    masks = [pixels(box) for box in boxes]
    expected: list[int] = []
    for index, mask in enumerate(masks):
        clear = True
        for other in expected:
            either = (mask | masks[other]).sum()
            clear = clear and (mask & masks[other]).sum() <= limit * either
        if clear:
            expected.append(index)
    assert not_covered(boxes.astype(np.float64), limit).tolist() == expected


def test_a_peak_becomes_its_click_and_its_box() -> None:
    maps = empty_maps(6, 10)
    mark(maps, TOOTH, 3, 5, offset=(0.25, -0.5), sides=(2.0, 3.0, 1.5, 4.0))
    mark(maps, IMPLANT_KIND, 9, 15, logit=2.0, sides=(1.0, 2.0, 1.0, 2.0))
    found = detections(maps, TOOTH, 0.2)
    x, y = (5 + 0.5 + 0.25) * CELL, (3 + 0.5 - 0.5) * CELL
    assert found.clicks.tolist() == [[x, y]]
    assert found.boxes.tolist() == [[x - 2 * CELL, y - 3 * CELL, x + 1.5 * CELL, y + 4 * CELL]]
    assert found.centres.tolist() == pytest.approx([1 / (1 + np.exp(-4))])
    implant = detections(maps, IMPLANT_KIND, 0.2)
    assert implant.clicks.tolist() == [[15.5 * CELL, 9.5 * CELL]]
    assert len(implant) == 1


def test_only_the_highest_cell_of_a_hill_is_an_object_and_the_surest_comes_first() -> None:
    maps = empty_maps(8, 8)
    for row, column, logit in ((4, 4, 1.0), (4, 5, 0.5), (5, 4, 0.9), (10, 3, 3.0), (4, 12, -0.2)):
        mark(maps, TOOTH, row, column, logit)
    found = detections(maps, TOOTH, 0.2)
    assert (found.clicks / CELL - 0.5).tolist() == [[3, 10], [4, 4], [12, 4]]
    assert found.centres.tolist() == sorted(found.centres.tolist(), reverse=True)


def test_peaks_at_the_edges_are_found() -> None:
    maps = empty_maps(3, 4)
    places = [(0, 0), (0, 7), (5, 0), (5, 7)]
    for row, column in places:
        mark(maps, TOOTH, row, column)
    found = detections(maps, TOOTH, 0.2)
    assert sorted((int(y), int(x)) for x, y in (found.clicks // CELL).tolist()) == places


def test_a_peak_below_the_least_probability_is_none() -> None:
    maps = empty_maps(4, 4)
    for column, share in ((1, 0.19), (5, 0.21)):
        mark(maps, TOOTH, 2, column, float(np.log(share / (1 - share))))
    assert (detections(maps, TOOTH, 0.2).clicks[:, 0] // CELL).tolist() == [5]
    assert len(detections(maps, TOOTH, min_centre=0.1)) == 2


def test_of_two_peaks_with_one_box_the_higher_one_stays() -> None:
    maps = empty_maps(8, 8)
    mark(maps, TOOTH, 6, 6, logit=1.0, sides=(3.0, 3.0, 3.0, 3.0))
    mark(maps, TOOTH, 6, 8, logit=2.0, offset=(-2.0, 0.0), sides=(3.0, 3.0, 3.0, 3.0))
    mark(maps, TOOTH, 6, 14, logit=0.5)
    found = detections(maps, TOOTH, 0.2)
    assert found.centres.tolist() == pytest.approx(torch.tensor([2.0, 0.5]).sigmoid().tolist())
    assert found.clicks[0].tolist() == [6.5 * CELL, 6.5 * CELL]


def test_empty_maps_have_no_objects() -> None:
    found = detections(empty_maps(2, 3), TOOTH, 0.2)
    assert (len(found), found.boxes.shape, found.centres.shape) == (0, (0, 4), (0,))
