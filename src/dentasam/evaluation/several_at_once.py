"""Work on several images at a time, with the results in the order of the images."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def several_at_once(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int, share_threads: bool = True
) -> Iterator[Result]:
    """The result of `work` for each item, in their order, each made in one of so many threads.

    No more items are begun than are worked on and waited for, because each may hold an image and its embeddings.
    share_threads: where there are several workers, torch computes each item in one thread instead of all.
    """
    # torch takes a second to import, which a command that stops at a wrong argument should not wait for.
    import torch

    workers = min(workers, len(items))
    if not workers:
        return
    threads = torch.get_num_threads()

    def begun(item: Item) -> Result:
        if share_threads and workers > 1:
            torch.set_num_threads(1)  # of this thread of Python, and of threads that begin after it
        return work(item)

    try:
        with ThreadPoolExecutor(workers) as pool:
            running = deque(pool.submit(begun, item) for item in items[:workers])
            for item in items[workers:]:
                done = running.popleft().result()
                running.append(pool.submit(begun, item))
                yield done
            while running:
                yield running.popleft().result()
    finally:
        torch.set_num_threads(threads)
