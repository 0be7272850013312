"""Outlines of masks: the rule that they are for draws the mask again, bit for bit."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image, ImageDraw
from scipy import ndimage

from dentasam.data.masks.outlines import outlines_of_mask
from dentasam.data.masks.polygons import PolygonRule, boxed_polygon, boxed_polygons

RULES = list(PolygonRule)
ACROSS_CORNERS = np.ones((3, 3), bool)
masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12))


def without_holes(mask: np.ndarray, rule: PolygonRule) -> np.ndarray:
    structure = ACROSS_CORNERS if rule is PolygonRule.corners else None
    return ndimage.binary_fill_holes(mask, structure)


def drawn(rows: str) -> np.ndarray:
    return np.array([[character == "#" for character in row] for row in rows.split()])


@settings(max_examples=150)
@given(mask=masks, rule=st.sampled_from(RULES))
def test_a_mask_comes_back_with_its_holes_filled(mask: np.ndarray, rule: PolygonRule) -> None:
    rings = outlines_of_mask(mask, rule)
    outer = [ring.points for ring in rings if not ring.hole]
    filled = without_holes(mask, rule)
    pieces = ndimage.label(filled, None if rule is PolygonRule.corners else ACROSS_CORNERS)[1]
    height, width = mask.shape
    np.testing.assert_array_equal(boxed_polygons(outer, height, width, rule).on_image(height, width), filled)
    # A piece within a hole of another is filled with it.
    assert len(outer) >= pieces
    assert (len(rings) > len(outer)) == bool((filled != mask).any())
    assert [ring.hole for ring in outlines_of_mask(filled, rule)] == [False] * pieces


@settings(max_examples=100)
@given(mask=masks)
def test_rings_and_holes_on_corners_give_back_any_mask(mask: np.ndarray) -> None:
    height, width = mask.shape
    again = np.zeros(mask.shape, bool)
    for points, _ in outlines_of_mask(mask, PolygonRule.corners):
        again ^= boxed_polygon(points, height, width, PolygonRule.corners).on_image(height, width)
    np.testing.assert_array_equal(again, mask)


@settings(max_examples=100)
@given(mask=masks)
def test_rings_on_centres_are_drawn_alike_by_pillow_and_opencv(mask: np.ndarray) -> None:
    filled = without_holes(mask, PolygonRule.centres)
    image, canvas = Image.new("L", mask.shape[::-1]), np.zeros(mask.shape, np.uint8)
    for points, _ in outlines_of_mask(filled, PolygonRule.centres):
        assert (points == np.round(points)).all()
        ImageDraw.Draw(image).polygon([(x, y) for x, y in points.tolist()], outline=1, fill=1)
        cv2.fillPoly(canvas, [points.astype(np.int32)], 1)
    np.testing.assert_array_equal(np.asarray(image) > 0, filled)
    np.testing.assert_array_equal(canvas > 0, filled)


@settings(max_examples=100)
@given(mask=masks, size=st.tuples(st.integers(12, 4000), st.integers(12, 8000)), data=st.data())
def test_yolo_keeps_a_mask_in_shares_of_the_image_with_six_digits(
    mask: np.ndarray, size: tuple[int, int], data: st.DataObject
) -> None:
    (height, width), filled = size, without_holes(mask, PolygonRule.yolo)
    x = data.draw(st.integers(0, width - filled.shape[1]))
    y = data.draw(st.integers(0, height - filled.shape[0]))
    shares = [
        np.array([[float(f"{share:.6f}") for share in point] for point in points / (width, height)])
        for points, _ in outlines_of_mask(filled, PolygonRule.yolo, x, y)
    ]
    found = boxed_polygons([ring * (width, height) for ring in shares], height, width, PolygonRule.yolo)
    rows, columns = np.nonzero(filled)
    got_rows, got_columns = np.nonzero(found.bits)
    np.testing.assert_array_equal(got_rows + found.y, rows + y)
    np.testing.assert_array_equal(got_columns + found.x, columns + x)


@settings(max_examples=100)
@given(mask=masks)
def test_a_hole_on_centres_is_the_inside_of_its_ring_without_the_ring(mask: np.ndarray) -> None:
    again = without_holes(mask, PolygonRule.centres)
    inner = ndimage.label(again & ~mask)[1]
    holes = [points for points, hole in outlines_of_mask(mask, PolygonRule.centres) if hole]
    assert len(holes) >= inner
    for points in holes:
        on_the_ring = np.zeros(mask.shape, np.uint8)
        cv2.polylines(on_the_ring, [points.astype(np.int32)], True, 1)
        assert mask[on_the_ring > 0].all()


@pytest.mark.parametrize(
    ("rows", "pieces_on_corners", "pieces_on_centres"),
    [
        ("#", 1, 1),
        ("##", 1, 1),
        ("#. .#", 2, 1),
        (".# #.", 2, 1),
        ("#.#", 2, 2),
        ("#..# .##. #..#", 5, 1),
        ("##### #....", 1, 1),
    ],
)
def test_small_and_thin_masks_are_one_ring_a_piece(rows: str, pieces_on_corners: int, pieces_on_centres: int) -> None:
    mask = drawn(rows)
    height, width = mask.shape
    for rule, pieces in zip(RULES, (pieces_on_corners, pieces_on_centres, pieces_on_centres), strict=True):
        rings = outlines_of_mask(mask, rule)
        assert len(rings) == pieces
        assert min(len(ring.points) for ring in rings) >= 3
        again = boxed_polygons([ring.points for ring in rings], height, width, rule)
        np.testing.assert_array_equal(again.on_image(height, width), mask)


def test_the_points_of_a_rectangle() -> None:
    mask = np.zeros((4, 5), bool)
    mask[1:3, 1:4] = True
    points = {rule: {tuple(p) for p in outlines_of_mask(mask, rule, 10, 20)[0].points.tolist()} for rule in RULES}
    assert points[PolygonRule.corners] == {(11, 21), (14, 21), (14, 23), (11, 23)}
    assert points[PolygonRule.centres] == {(11, 21), (13, 21), (13, 22), (11, 22)}
    assert points[PolygonRule.yolo] == {(11.5, 21.5), (13.5, 21.5), (13.5, 22.5), (11.5, 22.5)}


@pytest.mark.parametrize("rule", RULES)
def test_holes_follow_the_ring_of_their_piece(rule: PolygonRule) -> None:
    ring = drawn("..... .###. .#.#. .###. .....")
    mask = np.hstack([ring, ring, drawn("..... .###. .###. .###. .....")])
    rings = outlines_of_mask(mask, rule)
    assert sorted(zip([r.hole for r in rings], [r.points[:, 0].min() // 5 for r in rings], strict=True)) == [
        (False, 0),
        (False, 1),
        (False, 2),
        (True, 0),
        (True, 1),
    ]
    place = -1.0
    for points, hole in rings:
        if hole:
            assert points[:, 0].min() // 5 == place
        place = points[:, 0].min() // 5
    assert outlines_of_mask(np.zeros((3, 3), bool), rule) == []
