"""Shapes: what a mask covers of each part of its box."""

from __future__ import annotations

import numpy as np
import pytest

from dentasam.model.chart.shapes import SHAPE, shapes_of
from dentasam.model.windows.boxed_mask import BoxedMask


def test_a_full_box_is_covered_everywhere_whatever_its_size() -> None:
    masks = [BoxedMask(3, 7, np.ones(size, bool)) for size in ((1, 1), (24, 16), (25, 17), (300, 90), (5, 40))]
    assert shapes_of(masks) == pytest.approx(np.ones((5, *SHAPE)), abs=1e-6)


@pytest.mark.parametrize("factor", [1, 2, 5])
def test_each_cell_holds_the_share_that_is_covered(factor: int) -> None:
    rng = np.random.default_rng(factor)
    bits = rng.random((SHAPE[0] * factor, SHAPE[1] * factor)) < 0.5
    bits[0, 0] = bits[-1, -1] = True  # the box is tight
    expected = bits.reshape(SHAPE[0], factor, SHAPE[1], factor).mean((1, 3))
    assert shapes_of([BoxedMask(0, 0, bits)])[0] == pytest.approx(expected, abs=1e-5)


def test_only_the_tight_box_counts() -> None:
    bits = np.random.default_rng(0).random((60, 30)) < 0.6
    bits[0], bits[-1], bits[:, 0], bits[:, -1] = True, True, True, True
    wide = np.zeros((100, 90), bool)
    wide[20:80, 40:70] = bits
    assert np.array_equal(shapes_of([BoxedMask(0, 0, wide)]), shapes_of([BoxedMask(500, 2, bits)]))


def test_an_empty_mask_has_no_shape() -> None:
    assert not shapes_of([BoxedMask(0, 0, np.zeros((4, 9), bool)), BoxedMask(0, 0, np.zeros((0, 0), bool))]).any()
    assert shapes_of([]).shape == (0, *SHAPE)
