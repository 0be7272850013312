"""Where windows lie, and when they move."""

from __future__ import annotations

import numpy as np
import pytest

from dentasam.model.core.frame import PATCH, Frame
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.placement import (
    CLICK_HEIGHT,
    EDGE,
    MARGIN,
    MAX_SHARE,
    MIN_HEIGHT,
    Box,
    box_window,
    clicked_region,
    first_window,
    following_window,
    window_around,
)
from dentasam.model.windows.window import COLS, ROWS, Window

HEIGHT, WIDTH = 1250, 2900
FRAME = Frame.of(HEIGHT, WIDTH)


def rectangle(x0: int, y0: int, x1: int, y1: int) -> BoxedMask:
    return BoxedMask(x0, y0, np.ones((y1 - y0, x1 - x0), bool))


def positive(*points: tuple[float, float]) -> np.ndarray:
    return np.array([(x, y, 1.0) for x, y in points]).reshape(-1, 3)


TOOTH = rectangle(1400, 500, 1500, 800)
CENTRE = positive((1450, 650))


def contains(window: Window, mask: BoxedMask) -> bool:
    height, width = mask.bits.shape
    return all(window.holds(x, y) for x in (mask.x, mask.x + width - 1) for y in (mask.y, mask.y + height - 1))


def test_a_first_window_has_its_margin_around_the_mask() -> None:
    window, useful = first_window(TOOTH, 0.9, CENTRE, FRAME)
    assert useful
    assert window is not None
    height, width = window.size
    # 300 of 384 rows and 100 of 256 columns: the height decides.
    assert height == pytest.approx(MARGIN * 300)
    assert width == pytest.approx(height * COLS / ROWS)
    assert (window.x + width / 2, window.y + height / 2) == pytest.approx((1450, 650))


def test_small_objects_have_the_smallest_window_and_borders_keep_it_inside() -> None:
    window = window_around(Box(3, 5, 9, 12), FRAME)
    assert window.size[0] == pytest.approx(MIN_HEIGHT * WIDTH)
    assert (window.x, window.y) == (0, 0)
    corner = window_around(Box(WIDTH - 9, HEIGHT - 9, WIDTH, HEIGHT), FRAME)
    assert corner.x + corner.size[1] == pytest.approx(WIDTH)
    assert corner.y + corner.size[0] == pytest.approx(HEIGHT)


def test_a_stray_island_does_not_widen_the_window() -> None:
    bits = np.zeros((HEIGHT, WIDTH), bool)
    bits[500:800, 1400:1500] = True
    bits[100:110, 200:210] = True
    stray = BoxedMask(0, 0, bits).tight()
    assert first_window(stray, 0.9, CENTRE, FRAME) == first_window(TOOTH, 0.9, CENTRE, FRAME)
    # Two clicked regions count both.
    region = clicked_region(stray, positive((1450, 650), (205, 105)))
    assert region is not None
    np.testing.assert_array_equal(region.on_image(HEIGHT, WIDTH), bits)


def test_a_poor_first_mask_gives_a_window_around_the_click() -> None:
    around_click, useful = first_window(rectangle(100, 100, 200, 200), 0.9, CENTRE, FRAME)
    assert not useful
    assert around_click is not None
    assert around_click.size[0] == pytest.approx(CLICK_HEIGHT * WIDTH)
    assert around_click.holds(1450, 650)
    huge = rectangle(1275, 388, 1625, 912)
    assert huge.bits.sum() > MAX_SHARE * HEIGHT * WIDTH
    unsure, useful = first_window(huge, 0.5, CENTRE, FRAME)
    assert (unsure, useful) == (around_click, False)
    sure, useful = first_window(huge, 0.9, CENTRE, FRAME)
    assert useful
    assert sure is not None
    assert contains(sure, huge)


def test_a_huge_object_has_no_window() -> None:
    jaw = rectangle(300, 300, 2600, 1100)
    assert first_window(jaw, 0.95, CENTRE, FRAME) == (None, True)
    assert box_window(Box(300, 300, 2600, 1100), FRAME) is None
    window, _ = first_window(TOOTH, 0.9, CENTRE, FRAME)
    assert window is not None
    assert following_window(window, jaw, CENTRE, FRAME) is None


def test_a_window_stays_while_mask_and_clicks_are_well_inside() -> None:
    window, _ = first_window(TOOTH, 0.9, CENTRE, FRAME)
    assert window is not None
    assert following_window(window, TOOTH, CENTRE, FRAME) is window
    larger = rectangle(1390, 480, 1510, 820)
    assert following_window(window, larger, positive((1450, 650), (1450, 810)), FRAME) is window


@pytest.mark.parametrize("direction", [(0, -1), (0, 1), (-1, 0), (1, 0)])
def test_a_window_follows_a_mask_or_a_click_at_its_edge(direction: tuple[int, int]) -> None:
    window, _ = first_window(TOOTH, 0.9, CENTRE, FRAME)
    assert window is not None
    height, width = window.size
    dx, dy = direction
    # Closer to the edge than it may be.
    x = 1450 + dx * round(width * (0.5 - EDGE / 2))
    y = 650 + dy * round(height * (0.5 - EDGE / 2))
    grown = rectangle(min(1400, x), min(500, y), max(1500, x), max(800, y))
    by_mask = following_window(window, grown, CENTRE, FRAME)
    by_click = following_window(window, TOOTH, positive((1450, 650), (x, y)), FRAME)
    for moved in (by_mask, by_click):
        assert moved is not None
        assert moved != window
        assert moved.holds(x, y)
        assert following_window(moved, grown, CENTRE, FRAME) is moved
    # A negative click counts while it is the newest.
    older = np.array([[x, y, 0.0], [1450.0, 650.0, 1.0]])
    assert following_window(window, TOOTH, older[::-1], FRAME) != window
    assert following_window(window, TOOTH, older, FRAME) is window


def test_a_window_at_the_image_border_stays() -> None:
    tooth = rectangle(0, 900, 90, HEIGHT)
    window, _ = first_window(tooth, 0.9, positive((40, 1100)), FRAME)
    assert window is not None
    assert following_window(window, tooth, positive((40, 1100)), FRAME) is window


def test_a_window_shrinks_to_a_part() -> None:
    window, _ = first_window(TOOTH, 0.9, CENTRE, FRAME)
    assert window is not None
    part = rectangle(1440, 520, 1480, 560)
    shrunk = following_window(window, part, positive((1460, 540)), FRAME)
    assert shrunk is not None
    assert shrunk.scale < window.scale / 1.3
    assert contains(shrunk, part)
    assert following_window(shrunk, part, positive((1460, 540)), FRAME) is shrunk


def test_an_empty_mask_keeps_the_window_of_its_click() -> None:
    window, _ = first_window(TOOTH, 0.9, CENTRE, FRAME)
    assert window is not None
    nothing = BoxedMask(0, 0, np.zeros((0, 0), bool))
    assert following_window(window, nothing, CENTRE, FRAME) is window
    elsewhere = following_window(window, nothing, positive((400, 400)), FRAME)
    assert elsewhere is not None
    assert elsewhere.holds(400, 400)


def test_a_small_image_has_no_window_that_would_be_finer() -> None:
    """At 800 pixels the frame enlarges the image; a window of the smallest size is finer, one of a jaw is not."""
    frame = Frame.of(400, 800)
    assert box_window(Box(100, 100, 700, 300), frame) is None
    small = box_window(Box(390, 190, 410, 210), frame)
    assert small is not None
    assert PATCH * ROWS * small.scale == pytest.approx(MIN_HEIGHT * 800)


def test_a_negative_click_that_the_window_does_not_show_moves_nothing() -> None:
    """Nothing of the object is there, so it is obeyed already; a positive click there is what is missing."""
    window, _ = first_window(TOOTH, 0.9, CENTRE, FRAME)
    assert window is not None
    far = np.array([[1450.0, 650.0, 1.0], [2890.0, 10.0, 0.0]])
    assert first_window(TOOTH, 0.9, far, FRAME) == (window, True)
    assert following_window(window, TOOTH, far, FRAME) is window
    both = positive((1450, 650), (2890, 10))
    assert following_window(window, TOOTH, both, FRAME) is None
    # What a person painted there is the object's.
    painted = TOOTH.on_image(HEIGHT, WIDTH)
    painted[0:30, 2870:2900] = True
    assert following_window(window, BoxedMask(0, 0, painted).tight(), far, FRAME) is None
