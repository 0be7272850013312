"""Drawing long outlines and many rings in parts, with pycocotools on the whole as oracle."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from dentasam.data.masks import corner_polygons, rle, segmentation
from dentasam.data.masks.corner_polygons import runs_of_polygons

coordinate = st.one_of(st.integers(-40, 80), st.floats(-40, 80, width=32))
ring = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=30).map(lambda points: [*sum(points, ())])


def oracle(rings: list[list[float]], height: int, width: int) -> np.ndarray:
    (runs,) = rle.runs_of([coco_mask.merge(coco_mask.frPyObjects(rings, height, width))["counts"]])
    assert runs is not None
    return runs


@settings(deadline=None, max_examples=200)
@given(rings=st.lists(ring, min_size=1, max_size=12), steps=st.sampled_from([1, 50, 400, 3000]))
def test_parts_give_the_pixels_of_the_whole(rings: list[list[float]], steps: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corner_polygons, "MAX_STEPS", steps)
        found = runs_of_polygons(rings, 25, 37)
    expected = oracle(rings, 25, 37)
    assert int(found.sum()) == 25 * 37
    np.testing.assert_array_equal(found, expected)


def test_an_outline_of_many_points_takes_the_memory_of_its_mask() -> None:
    angles = np.linspace(0, 2 * np.pi, 200_000, endpoint=False)
    wave = 250 + 100 * np.sin(40 * angles)
    outline = np.stack([400 + wave * np.cos(angles), 400 + wave * np.sin(angles)], axis=1).ravel().tolist()
    tracemalloc.start()
    try:
        runs = runs_of_polygons([outline], 800, 800)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert rle.area_of(runs) == rle.area_of(oracle([outline], 800, 800))
    # The points themselves, as floats in arrays and lists, take most of it.
    assert peak < 60 * len(outline)


def test_an_outline_across_the_image_again_and_again_is_refused_before_it_is_drawn() -> None:
    points = np.random.default_rng(0).uniform(0, 500, (20_000, 2))
    found = segmentation.error_in([points.ravel().tolist()], 500, 500)
    assert found is not None
    assert found[0] == "its outline is longer than 1100000 pixels"
    # A point for each pixel of a large tooth and more is no reason.
    angles = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    tooth = np.stack([250 + 200 * np.cos(angles), 250 + 200 * np.sin(angles)], axis=1)
    assert segmentation.error_in([tooth.ravel().tolist()], 500, 500) is None


def test_many_rings_are_joined_in_one_pass() -> None:
    corners = [(float(x), float(y)) for x in range(0, 200, 2) for y in range(0, 200, 2)]
    rings = [[x, y, x + 1, y, x + 1, y + 1, x, y + 1] for x, y in corners]
    assert segmentation.error_in(rings, 200, 200) is None
    np.testing.assert_array_equal(runs_of_polygons(rings, 200, 200), oracle(rings, 200, 200))


def test_a_zigzag_is_drawn_in_as_few_parts_as_its_own_length_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    draw = coco_mask.frPyObjects

    def counted(rings: list[list[float]], height: int, width: int) -> Any:
        calls.append(len(rings))
        return draw(rings, height, width)

    monkeypatch.setattr(coco_mask, "frPyObjects", counted)
    # 300 steps across one pixel and one across the image, not 300 across the image.
    ring = [value for at in range(300) for value in (float(at % 2), float(at))] + [3000.0, 0.0]
    runs_of_polygons([ring], 300, 3100)
    assert calls == [1]
