import numpy as np
import pytest

from dentasam.labelling.inference.offered_choices import offered
from dentasam.model.windows.objects import ObjectAnswer
from dentasam.model.windows.window import BoxedMask

LOGITS = np.zeros((2, 2), np.float32)


def answer(side: int, score: float) -> ObjectAnswer:
    """A square at 0, 0."""
    return ObjectAnswer(BoxedMask(0, 0, np.ones((side, side), bool)), LOGITS, score)


TOOTH, CROWN, FILLING = answer(40, 0.9), answer(25, 0.85), answer(10, 0.85)


def test_the_single_mask_takes_the_place_of_the_choice_that_is_like_it() -> None:
    single = answer(39, 0.8)
    taken, shown = offered(single, [TOOTH, CROWN, FILLING], prefer_part=False)
    assert taken is single
    assert shown == (single, CROWN, FILLING)


def test_a_label_for_parts_takes_the_smallest_that_is_scored_well_enough() -> None:
    taken, shown = offered(answer(39, 0.8), [TOOTH, CROWN, FILLING], prefer_part=True)
    assert taken is FILLING
    assert [each.mask.bits.shape[0] for each in shown] == [39, 25, 10]
    doubtful = answer(10, 0.2)
    taken, shown = offered(TOOTH, [TOOTH, CROWN, doubtful], prefer_part=True)
    assert taken is CROWN
    assert shown == (TOOTH, CROWN)


def test_three_at_most_are_offered_the_taken_one_and_the_best_scored() -> None:
    single = answer(32, 0.5)
    taken, shown = offered(single, [TOOTH, answer(25, 0.6), FILLING], prefer_part=False)
    assert taken is single
    assert shown == (TOOTH, single, FILLING)


@pytest.mark.parametrize("prefer_part", [False, True])
def test_weights_that_never_saw_an_ambiguous_click_offer_their_single_mask(prefer_part: bool) -> None:
    single = answer(40, 0.9)
    taken, shown = offered(single, [answer(20, 0.14)], prefer_part=prefer_part)
    assert (taken, shown) == (single, (single,))


def test_without_choices_nothing_is_offered() -> None:
    assert offered(TOOTH, [], prefer_part=True) == (TOOTH, ())
