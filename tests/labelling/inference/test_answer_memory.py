import numpy as np

from dentasam.labelling.inference.answer_memory import AnswerMemory
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.model.windows.objects import ObjectAnswer
from dentasam.model.windows.window import BoxedMask, Window

MASK = BoxMask(1, 2, np.ones((3, 4), bool))
WINDOW = Window(10.0, 20.0, 0.5, 400, 600)
LOGITS = np.ones((5, 6), np.float32)
ANSWER = ObjectAnswer(BoxedMask(0, 0, np.ones((9, 9), bool)), LOGITS, 0.75, WINDOW)


def square(side: int) -> BoxMask:
    return BoxMask(0, 0, np.ones((side, side), bool))


def test_an_answer_comes_back_for_the_same_mask_of_the_same_object_on_the_same_picture() -> None:
    memory = AnswerMemory()
    memory.keep(1, "a", "picture", MASK, ANSWER)
    wide = np.zeros((9, 9), bool)
    wide[2:5, 1:5] = True  # the same pixels in another box
    found = memory.get(1, "a", "picture", BoxMask(0, 0, wide))
    assert found is not None
    assert found.logits is LOGITS
    assert (found.score, found.window) == (0.75, WINDOW)
    # The mask that the page has, not the one before the pixels edited by hand.
    assert BoxMask(*found.mask) == MASK
    assert memory.get(2, "a", "picture", MASK) is None
    assert memory.get(1, "b", "picture", MASK) is None
    assert memory.get(1, "a", "another picture", MASK) is None
    assert memory.get(1, "a", "picture", BoxMask(1, 2, np.ones((3, 3), bool))) is None


def test_the_last_few_answers_of_an_object_are_kept_the_newest_first() -> None:
    memory = AnswerMemory(per_object=3)
    for side in (1, 2, 3, 4):
        memory.keep(1, "a", "picture", square(side), ANSWER)
    assert [memory.get(1, "a", "picture", square(side)) is not None for side in (1, 2, 3, 4)] == [
        False,
        True,
        True,
        True,
    ]
    newer = ObjectAnswer(ANSWER.mask, 2 * LOGITS, 0.5)
    memory.keep(1, "a", "picture", square(3), newer)
    found = memory.get(1, "a", "picture", square(3))
    assert found is not None
    assert found.logits is newer.logits


def test_beyond_its_bytes_the_objects_that_were_answered_longest_ago_go() -> None:
    size = LOGITS.nbytes + MASK.bits.nbytes
    memory = AnswerMemory(limit=3 * size)
    for name in ("a", "b", "a", "c"):
        memory.keep(1, name, "picture", MASK, ANSWER)
    assert [memory.get(1, name, "picture", MASK) is not None for name in "abc"] == [True, False, True]
    assert (len(memory), memory.bytes_held) == (3, 3 * size)
    memory.keep(1, "d", "picture", MASK, ANSWER)
    assert [memory.get(1, name, "picture", MASK) is not None for name in "acd"] == [False, True, True]
    assert memory.bytes_held == 2 * size
    # One object that is too large by itself stays: its next click needs it.
    large = ObjectAnswer(ANSWER.mask, np.zeros((100, 100), np.float32), 0.5)
    memory.keep(1, "e", "picture", MASK, large)
    assert memory.get(1, "e", "picture", MASK) is not None
    assert len(memory) == 1
