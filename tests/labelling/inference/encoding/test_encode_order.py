from pathlib import Path

import torch

from dentasam.labelling.inference.encoding.embedding_memory import EmbeddingMemory
from dentasam.labelling.inference.encoding.encode_order import EncodedCases, EncodeOrder
from dentasam.labelling.workspace.workspace import CaseImage
from dentasam.model.core.frame import Frame
from dentasam.model.embedding import ImageEmbedding

FRAME = Frame.of(16, 256)
EMBEDDING = ImageEmbedding(torch.zeros(1, 256, FRAME.rows, FRAME.cols), torch.zeros(1, 32, *FRAME.logits), FRAME)


def order(count: int = 6, size: int = 8) -> tuple[EncodeOrder, EncodedCases, EmbeddingMemory]:
    worklist = {case: CaseImage(f"{case}.png", Path(f"{case}.png"), 256, 16, 8) for case in range(1, count + 1)}
    cases, memory = EncodedCases(), EmbeddingMemory(size)
    return EncodeOrder(worklist, cases, memory), cases, memory


def encoded(cases: EncodedCases, memory: EmbeddingMemory, case: int) -> None:
    cases.set_picture(case, f"picture {case}")
    cases.encoded.add(case)
    cases.measured.add(case)
    memory.put(f"picture {case}", EMBEDDING)


def test_without_an_annotator_the_worklist_is_encoded_in_its_order() -> None:
    queue, cases, memory = order()
    assert queue.next_in_use() is None
    assert queue.next_ahead() == 1
    queue.running.append(1)
    assert queue.next_ahead() == 2
    encoded(cases, memory, 2)
    cases.errors[3] = "3.png is damaged"
    assert queue.next_ahead() == 4


def test_clicks_come_before_the_opened_case_and_the_following_before_the_rest() -> None:
    queue, cases, memory = order()
    queue.open(3, [5, 99, 3])
    assert queue.opened == [3, 5]
    assert queue.request(6)
    assert not queue.request(6)
    assert (queue.next_in_use(), queue.next_ahead()) == (6, 5)
    encoded(cases, memory, 6)
    encoded(cases, memory, 5)
    assert (queue.next_in_use(), queue.next_ahead()) == (3, 1)
    assert queue.requested == []


def test_an_opened_case_that_has_left_the_memory_is_due_again_and_others_are_not() -> None:
    queue, cases, memory = order(count=3, size=1)
    for case in (1, 2, 3):
        encoded(cases, memory, case)
    queue.open(1, [])
    assert memory.pictures == {"picture 3"}
    assert (queue.next_in_use(), queue.next_ahead()) == (1, None)


def test_a_new_picture_is_a_new_case() -> None:
    queue, cases, memory = order(count=1)
    encoded(cases, memory, 1)
    assert queue.next_ahead() is None
    assert not cases.set_picture(1, "picture 1")
    assert cases.set_picture(1, "another")
    assert (cases.encoded, cases.measured) == (set(), set())
    assert queue.next_ahead() == 1
