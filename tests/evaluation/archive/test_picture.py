"""Charts drawn on their images."""

import numpy as np
import pytest

from dentasam.evaluation.archive.picture import TEXT_SHARE, chart_picture
from dentasam.model.windows.boxed_mask import BoxedMask


@pytest.mark.parametrize("shade", [0, 128, 255])
@pytest.mark.parametrize("width", [640, 2900])
def test_numbers_are_legible_on_any_shade(width: int, shade: int) -> None:
    """Inside the tooth there are white digits of the right height with a black rim, on air and on metal."""
    image = np.full((width // 2, width), shade, np.uint8)
    side = width // 10
    tooth = BoxedMask(2 * side, side, np.ones((side, side), bool))
    picture = chart_picture(image, [tooth], ["38"], [0.9])
    assert picture.shape == (*image.shape, 3)
    inside = picture[side + 9 : 2 * side - 9, 2 * side + 9 : 3 * side - 9]
    white, black = inside.min(axis=2) >= 250, inside.max(axis=2) <= 5
    if shade != 255:
        rows = np.flatnonzero(white.any(axis=1))
        assert np.ptp(rows) + 1 == pytest.approx(max(12, TEXT_SHARE * width), rel=0.2, abs=2)
    assert white.any()
    assert black.any()
    outside = picture[:, : 2 * side - 9]
    assert (outside == shade).all()


def test_a_doubtful_number_has_a_question_mark_and_objects_at_the_edge_stay_inside() -> None:
    image = np.zeros((60, 300), np.uint16)
    corners = [BoxedMask(x, y, np.ones((3, 3), bool)) for x in (0, 297) for y in (0, 57)]
    sure = chart_picture(image, corners, ["11"] * 4, [0.5] * 4)
    doubtful = chart_picture(image, corners, ["11"] * 4, [0.49] * 4)
    assert (doubtful >= 250).all(axis=2).sum() > (sure >= 250).all(axis=2).sum() > 0
    named = chart_picture(image, corners, ["implant"] * 4, [0.5] * 4)
    assert (named != sure).any()
