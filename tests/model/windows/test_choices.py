"""Which of three masks are shown, and which is taken for a part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.choices import (
    MAX_CHOICE_LOSS,
    MIN_SCORE,
    MIN_SCORE_SHARE,
    distinct,
    intersection,
    iou,
    likely,
    preferred_part,
)
from dentasam.model.windows.objects import ObjectAnswer

HEIGHT, WIDTH = 12, 16


def square(side: int, x: int = 10, y: int = 20) -> BoxedMask:
    return BoxedMask(x, y, np.ones((side, side), bool))


def answer(mask: BoxedMask, score: float) -> ObjectAnswer:
    return ObjectAnswer(mask, np.zeros((1, 1), np.float32), score)


@given(st.tuples(*[arrays(bool, (HEIGHT, WIDTH))] * 2))
def test_overlap_of_boxed_masks_is_that_of_whole_ones(masks: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = masks
    boxed = BoxedMask(0, 0, a).tight(), BoxedMask(0, 0, b).tight()
    assert intersection(*boxed) == (a & b).sum()
    assert iou(*boxed) == pytest.approx((a & b).sum() / (a | b).sum() if (a | b).any() else 1.0)


def test_choices_go_from_the_largest_to_the_smallest() -> None:
    small, large, middle = answer(square(3), 0.9), answer(square(20), 0.2), answer(square(9), 0.5)
    assert distinct([small, large, middle]) == (large, middle, small)


def test_of_masks_that_are_alike_the_best_scored_is_kept() -> None:
    worse, better, part = answer(square(100), 0.7), answer(square(98), 0.8), answer(square(50), 0.1)
    assert distinct([worse, better, part]) == (better, part)
    # An IoU of 0.72: not alike.
    apart = answer(square(85), 0.6)
    assert distinct([worse, apart]) == (worse, apart)


def test_empty_masks_are_left_out_unless_all_are() -> None:
    nothing = BoxedMask(0, 0, np.zeros((0, 0), bool))
    found = answer(square(5), 0.1)
    assert distinct([answer(nothing, 0.9), found]) == (found,)
    best = answer(nothing, 0.9)
    assert distinct([answer(nothing, 0.3), best]) == (best,)


def test_only_scores_near_the_best_are_choices_and_none_where_all_are_low() -> None:
    whole = answer(square(100), 0.8)
    close, far = answer(square(40), 0.8 - MAX_CHOICE_LOSS + 0.01), answer(square(20), 0.8 - MAX_CHOICE_LOSS - 0.01)
    assert [choice.score for choice in likely([far, close, whole])] == [close.score, 0.8]
    low = [answer(square(side), MIN_SCORE - 0.01) for side in (20, 40, 100)]
    assert likely(low) == []
    enough = answer(square(50), MIN_SCORE)
    (only,) = likely([*low[:2], enough])
    assert only is enough


def test_the_smallest_part_that_is_scored_well_enough_is_preferred() -> None:
    single = answer(square(100), 0.95)
    whole, part, least = answer(square(99), 0.9), answer(square(60), 0.88), answer(square(20), 0.4)
    assert preferred_part(single, [least, whole, part]) is least
    unsure = answer(square(20), MIN_SCORE_SHARE * 0.9 - 0.01)
    assert preferred_part(single, [unsure, whole, part]) is part


@pytest.mark.parametrize(
    "choice",
    [
        pytest.param(square(80), id="more than half of the whole"),
        pytest.param(square(150), id="larger"),
        pytest.param(square(50, x=85), id="mostly outside"),
        pytest.param(BoxedMask(0, 0, np.zeros((0, 0), bool)), id="empty"),
    ],
)
def test_what_is_no_part_of_the_single_mask_leaves_it(choice: BoxedMask) -> None:
    single = answer(square(100), 0.5)
    assert preferred_part(single, [answer(choice, 0.99)] * 3) is single


def test_scores_of_weights_that_never_saw_an_ambiguous_click_choose_nothing() -> None:
    single = answer(square(100), 0.1)
    assert preferred_part(single, [answer(square(50), MIN_SCORE - 0.01)] * 3) is single
    part = answer(square(50), MIN_SCORE)
    assert preferred_part(single, [part] * 3) is part
