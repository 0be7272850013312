"""A window's points, pixels, masks and logits speak of the same places of the image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dentasam.model.core.frame import LOGIT_STRIDE, PATCH, Frame
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.local_repair import value_at
from dentasam.model.windows.window import COLS, OUTSIDE_LOGIT, ROWS, LogitGrid, Window

from .scenes import dice

HEIGHT, WIDTH = 700, 1500
# Whole and broken scales, finer and coarser than the image, inside it, across two borders, and larger than the image.
WINDOWS = [
    pytest.param(Window(400.0, 200.0, 1.0, HEIGHT, WIDTH), id="one to one"),
    pytest.param(Window(403.3, 207.8, 1.37, HEIGHT, WIDTH), id="coarser"),
    pytest.param(Window(520.6, 290.1, 0.41, HEIGHT, WIDTH), id="finer"),
    pytest.param(Window(-120.4, -77.7, 1.7, HEIGHT, WIDTH), id="across the upper left corner"),
    pytest.param(Window(1180.2, 380.9, 1.5, HEIGHT, WIDTH), id="across the lower right corner"),
    pytest.param(Window(-100.0, -346.0, 4.0, HEIGHT, WIDTH), id="higher than the image"),
]
windows = pytest.mark.parametrize("window", WINDOWS)


def middle(window: Window) -> tuple[float, float]:
    """A point of both the window and the image, about in the middle of what they share."""
    height, width = window.size
    x = (max(window.x, 0) + min(window.x + width, WIDTH)) / 2
    y = (max(window.y, 0) + min(window.y + height, HEIGHT)) / 2
    return x, y


def hook(window: Window) -> np.ndarray:
    """An asymmetric shape (H, W) bool that fills much of what the window shows."""
    x, y = middle(window)
    height, width = window.size
    shown = min(height, window.y + height, HEIGHT - window.y), min(width, window.x + width, WIDTH - window.x)
    rise, run = 0.35 * min(shown[0], HEIGHT), 0.35 * min(shown[1], WIDTH)
    corners = [(-1, -1), (-0.4, -1), (-0.4, 0.3), (1, 0.3), (0.7, 1), (-1, 1)]
    polygon = np.array([[x + run * u, y + rise * v] for u, v in corners])
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(mask, [np.round(polygon).astype(np.int32)], 1)
    return mask.astype(bool)


def logits_of(window: Window, mask: np.ndarray) -> np.ndarray:
    """Logits whose zero is where half of a logit's area is covered."""
    return (16 * window.masks_to_logits(mask[None])[0].numpy() - 8).astype(np.float32)


def centroid(mask: np.ndarray) -> np.ndarray:
    y, x = np.nonzero(mask)
    return np.array([x.mean(), y.mean()])


@windows
def test_a_mask_to_logits_and_back(window: Window) -> None:
    """Nearly the same, and not shifted by as much as a tenth of a logit."""
    mask = hook(window)
    back = window.mask(logits_of(window, mask)).on_image(HEIGHT, WIDTH)
    assert dice(back, mask) > 0.96
    shift = np.abs(centroid(back) - centroid(mask))
    assert (shift < 0.1 * LOGIT_STRIDE * window.scale).all()


@windows
def test_points_and_pixels_agree(window: Window) -> None:
    """A bright dot of the image is seen where `points_to_frame` puts it."""
    x, y = (round(value) for value in middle(window))
    image = np.zeros((HEIGHT, WIDTH), np.float32)
    reach = max(3, round(3 * window.scale))
    image[y - reach : y + reach + 1, x - reach : x + reach + 1] = 1
    seen = window.cut(image)
    assert seen.shape == (PATCH * ROWS, PATCH * COLS)
    rows, columns = np.indices(seen.shape)
    found = np.array([(seen * columns).sum(), (seen * rows).sum()]) / seen.sum()
    expected = window.points_to_frame(np.array([x, y])) - np.array(window.frame.origin)
    np.testing.assert_allclose(found, expected, atol=0.06)


@windows
def test_points_and_logits_agree(window: Window) -> None:
    """A pixel of the frame is four times its logit's index, and `index_of` is where the mask is read."""
    x, y = middle(window)
    point = np.array([x, y])
    in_frame = window.points_to_frame(point) - np.array(window.frame.origin)
    np.testing.assert_allclose(window.grid.index_of(point), (in_frame + 0.5) / LOGIT_STRIDE - 0.5, atol=1e-4)
    column, row = np.round(window.grid.index_of(point)).astype(int)
    logits = np.full(window.logits, -1.0, np.float32)
    logits[row, column] = 1
    (left, top), (right, bottom) = (
        window.grid.index_of(np.array(corner)) for corner in _corners(window.mask(logits))
    )
    # Half a logit to each side, to a pixel of the image.
    slack = 1 / (LOGIT_STRIDE * window.scale)
    np.testing.assert_allclose(
        [left, top, right, bottom], [column - 0.5, row - 0.5, column + 0.5, row + 0.5], atol=slack
    )


def _corners(mask: BoxedMask) -> tuple[tuple[int, int], tuple[int, int]]:
    height, width = mask.bits.shape
    return (mask.x, mask.y), (mask.x + width - 1, mask.y + height - 1)


@windows
def test_a_full_mask_covers_what_the_window_shows(window: Window) -> None:
    everything = window.mask(np.ones(window.logits, np.float32)).on_image(HEIGHT, WIDTH)
    for y, x in ((0, 0), (0, WIDTH - 1), (HEIGHT - 1, 0), (HEIGHT - 1, WIDTH - 1), (300, 600), (415, 560)):
        assert everything[y, x] == window.holds(x, y)
    nothing = window.mask(-np.ones(window.logits, np.float32))
    assert nothing.bits.shape == (0, 0)


def test_pixels_are_averaged_where_they_shrink() -> None:
    """A chequerboard of single pixels is gray in a window twice as coarse; at one to one it stays."""
    board = (np.indices((HEIGHT, WIDTH)).sum(axis=0) % 2).astype(np.float32)
    assert np.ptp(Window(100.0, 100.0, 1.0, HEIGHT, WIDTH).cut(board)) == 1
    np.testing.assert_allclose(Window(100.0, 100.0, 2.0, HEIGHT, WIDTH).cut(board), 0.5, atol=1e-6)


def test_beyond_the_border_the_outermost_pixels_are_repeated() -> None:
    image = np.tile(np.linspace(0, 200, WIDTH, dtype=np.float32), (HEIGHT, 1))
    seen = Window(-128.0, 0.0, 1.0, HEIGHT, WIDTH).cut(image)
    np.testing.assert_array_equal(seen[:, :128], 0)
    assert seen[0, -1] == pytest.approx(image[0, 127])


@windows
def test_logits_of_the_whole_image_and_back(window: Window) -> None:
    """A smooth map goes to the window and back with the values it had, where the window shows it."""
    frame = Frame.of(HEIGHT, WIDTH)
    whole = LogitGrid.of_frame(frame)
    rows, columns = np.indices(frame.logits)
    smooth = (3 * np.sin(columns / 40) + 2 * np.cos(rows / 25)).astype(np.float32)
    there = whole.resampled(smooth, window.grid, window.logits)
    back = window.grid.resampled(there, whole, frame.logits)
    x = whole.x + (columns + 0.5) * whole.width
    y = whole.y + (rows + 0.5) * whole.height
    height, width = window.size
    near = 2 * max(whole.width, LOGIT_STRIDE * window.scale)
    inside = (
        (x > window.x + near) & (x < window.x + width - near) & (y > window.y + near) & (y < window.y + height - near)
    )
    inside &= (x > near) & (x < WIDTH - near) & (y > near) & (y < HEIGHT - near)
    assert inside.sum() > 40
    assert np.abs(back - smooth)[inside].max() < 0.08
    outside = (x < window.x - near) | (x > window.x + width + near)
    assert (back[outside] == OUTSIDE_LOGIT).all()


def test_a_click_keeps_its_logit_between_grids() -> None:
    """A point's index in both grids is the same place: the map's values there agree."""
    frame, window = Frame.of(HEIGHT, WIDTH), Window(403.3, 207.8, 1.37, HEIGHT, WIDTH)
    whole = LogitGrid.of_frame(frame)
    ramp = np.tile(np.arange(frame.logits[1], dtype=np.float32), (frame.logits[0], 1))
    there = whole.resampled(ramp, window.grid, window.logits)
    column, row = window.grid.index_of(np.array([600.0, 400.0]))
    assert value_at(there, column, row) == pytest.approx(whole.index_of(np.array([600.0, 400.0]))[0], abs=0.02)


def test_boxed_masks() -> None:
    bits = np.zeros((5, 7), bool)
    bits[2, 3:5] = True
    mask = BoxedMask(10, 20, bits)
    tight = mask.tight()
    assert (tight.x, tight.y, tight.bits.shape) == (13, 22, (1, 2))
    np.testing.assert_array_equal(tight.on_image(40, 40), mask.on_image(40, 40))
    assert mask.at(13, 22)
    assert mask.at(13.4, 21.6)
    assert not mask.at(12, 22)
    assert not mask.at(0, 0)
    assert BoxedMask(3, 4, np.zeros((5, 5), bool)).tight().bits.shape == (0, 0)
