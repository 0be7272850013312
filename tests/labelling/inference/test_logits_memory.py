import numpy as np

from dentasam.labelling.inference.logits_memory import LogitsMemory
from dentasam.labelling.wire.box_mask import BoxMask

MASK = BoxMask(1, 2, np.ones((3, 4), bool))
LOGITS = np.ones((5, 6), np.float32)


def test_logits_come_back_for_the_same_mask_of_the_same_object_on_the_same_picture() -> None:
    memory = LogitsMemory()
    memory.keep(1, "a", "picture", MASK, LOGITS)
    assert memory.get(1, "a", "picture", BoxMask(1, 2, np.ones((3, 4), bool))) is LOGITS
    assert memory.get(2, "a", "picture", MASK) is None
    assert memory.get(1, "b", "picture", MASK) is None
    assert memory.get(1, "a", "another picture", MASK) is None
    assert memory.get(1, "a", "picture", BoxMask(1, 2, np.ones((3, 3), bool))) is None


def test_the_oldest_go_first_and_each_object_counts_once() -> None:
    memory = LogitsMemory(2)
    for name in ("a", "b", "a", "c"):
        memory.keep(1, name, "picture", MASK, LOGITS)
    assert len(memory) == 2
    assert [memory.get(1, name, "picture", MASK) is not None for name in "abc"] == [True, False, True]
