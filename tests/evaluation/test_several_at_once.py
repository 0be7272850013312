"""Images worked on in threads: order, and how many are begun."""

import threading

import pytest
import torch

from dentasam.evaluation.several_at_once import several_at_once


def test_results_come_in_order_and_few_items_are_begun_ahead() -> None:
    begun: list[int] = []

    def doubled(item: int) -> int:
        begun.append(item)
        return 2 * item

    for number, result in enumerate(several_at_once(doubled, range(50), 3)):
        assert result == 2 * number
        assert max(begun) <= number + 3
    assert sorted(begun) == list(range(50))
    assert list(several_at_once(str, [], 3)) == []


def test_torch_has_one_thread_in_each_of_several_workers() -> None:
    before = torch.get_num_threads()
    together = threading.Barrier(2)

    def threads(item: int) -> int:
        together.wait(timeout=30)
        return torch.get_num_threads()

    assert list(several_at_once(threads, [1, 2], 2)) == [1, 1]
    assert torch.get_num_threads() == before
    assert list(several_at_once(threads, [1, 2], 2, share_threads=False)) == [before, before]


def test_an_error_ends_the_work() -> None:
    with pytest.raises(ZeroDivisionError):
        list(several_at_once(lambda item: 1 // (item - 2), [1, 2, 3], 2))
