"""Drawing polygons by three rules, with the libraries behind the rules as oracle, on the whole image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask

from dentasam.data.masks.polygons import MAX_BOUNDARY, PolygonRule, boxed_polygon, boxed_polygons

RULES = list(PolygonRule)
SQUARE = [[1, 1], [3, 1], [3, 3], [1, 3]]
# Made with pycocotools 2.0.11, Pillow 12 and OpenCV 4.12 on 5 rows of 6 pixels.
DRAWN = [
    (
        SQUARE,
        [
            "...... .##... .##... ...... ......",
            "...... .###.. .###.. .###.. ......",
            "...... .###.. .###.. .###.. ......",
        ],
    ),
    (
        [[0.5, 0.5], [3.5, 0.5], [3.5, 3.5], [0.5, 3.5]],
        [
            "...... .###.. .###.. .###.. ......",
            "####.. ####.. ####.. ####.. ......",
            "####.. ####.. ####.. ####.. ......",
        ],
    ),
    (
        [[0, 0], [5, 0], [0, 4]],
        [
            "####.. ###... ##.... #..... ......",
            "###### #####. ###... ##.... #.....",
            "###### #####. ####.. ##.... #.....",
        ],
    ),
]


def mask_of_polygon(points: np.ndarray, height: int, width: int, rule: PolygonRule) -> np.ndarray:
    return boxed_polygon(points, height, width, rule).on_image(height, width)


def on_whole_image(points: np.ndarray, height: int, width: int, rule: PolygonRule) -> np.ndarray:
    if rule is PolygonRule.corners:
        return coco_mask.decode(coco_mask.frPyObjects([points.ravel().tolist()], height, width))[:, :, 0] > 0
    if rule is PolygonRule.centres:
        image = Image.new("L", (width, height))
        ImageDraw.Draw(image).polygon([(x, y) for x, y in points.tolist()], outline=1, fill=1)
        return np.asarray(image) > 0
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [points.astype(np.int32)], 1)
    return mask > 0


@pytest.mark.parametrize(("points", "drawn"), DRAWN)
def test_each_rule_draws_the_pixels_of_its_library(points: list[list[float]], drawn: list[str]) -> None:
    for rule, rows in zip(RULES, drawn, strict=True):
        mask = mask_of_polygon(np.array(points), 5, 6, rule)
        assert ["".join(".#"[bit] for bit in row.astype(int)) for row in mask] == rows.split(), rule


def test_points_of_yolo_lie_in_pixels() -> None:
    half = [[1.5, 1.5], [2.5, 1.5], [2.5, 2.5], [1.5, 2.5]]
    assert np.argwhere(mask_of_polygon(np.array(half), 4, 5, PolygonRule.yolo)).tolist() == [
        [1, 1],
        [1, 2],
        [2, 1],
        [2, 2],
    ]


coordinates = st.one_of(
    st.floats(-15, 60), st.integers(-15, 60).map(float), st.integers(-60, 240).map(lambda n: n / 4)
)


@settings(max_examples=150)
@given(
    points=st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=9),
    height=st.integers(30, 45),
    width=st.integers(30, 45),
    rule=st.sampled_from(RULES),
)
def test_what_is_drawn_in_the_box_is_what_is_drawn_on_the_image(
    points: list[tuple[float, float]], height: int, width: int, rule: PolygonRule
) -> None:
    ring = np.array(points)
    wanted = on_whole_image(ring, height, width, rule)
    x, y, bits = boxed_polygon(ring, height, width, rule)
    np.testing.assert_array_equal(mask_of_polygon(ring, height, width, rule), wanted)
    if wanted.any():
        rows, columns = np.nonzero(wanted)
        assert (x, y, *bits.shape) == (columns.min(), rows.min(), np.ptp(rows) + 1, np.ptp(columns) + 1)
    else:
        assert bits.size == 0


@pytest.mark.parametrize("rule", RULES)
def test_a_polygon_is_cut_off_at_the_image(rule: PolygonRule) -> None:
    mask = mask_of_polygon(np.array([[-5, -5], [12, -5], [12, 12], [-5, 12]]), 6, 8, rule)
    assert mask.all()
    assert boxed_polygon(np.array(SQUARE) + 9, 6, 8, rule).bits.size == 0
    assert boxed_polygon(np.array(SQUARE) - 9, 6, 8, rule).bits.size == 0


@pytest.mark.parametrize("rule", RULES)
def test_several_polygons_are_drawn_together(rule: PolygonRule) -> None:
    rings = [np.array(SQUARE), np.array(SQUARE) + np.array([4, 2]), np.array(SQUARE) + 20]
    wanted = on_whole_image(rings[0], 9, 12, rule) | on_whole_image(rings[1], 9, 12, rule)
    np.testing.assert_array_equal(boxed_polygons(rings, 9, 12, rule).on_image(9, 12), wanted)
    assert boxed_polygons([], 9, 12, rule).bits.size == 0


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ([[1, 1], [2, 2]], "fewer than 3 points"),
        ([], "fewer than 3 points"),
        ([[1, 1, 1]] * 3, "not a list of points"),
        ([[1, 1], [2, 2], [3, float("nan")]], "NaN or infinite"),
        ([[1, 1], [2, 2], [3, float("inf")]], "NaN or infinite"),
        ([[1, 1], [2, 2], [3, 1e12]], "far outside the image"),
        ([[0, 0], [2000, 0]] * 4001, "boundary is longer than (4|16)000000 pixels"),
    ],
)
def test_a_bad_polygon_is_refused_with_the_reason(points: list[list[float]], reason: str, rule: PolygonRule) -> None:
    assert MAX_BOUNDARY == 4_000_000
    with pytest.raises(ValueError, match=f"^a polygon.*{reason}"):
        boxed_polygon(np.array(points, float), 1000, 2000, rule)
