"""What an exported model does with calls of many threads."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from dentasam.model.onnx import network


class CountingSession:
    """Counts the runs at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.running = self.most = 0

    def run(self, outputs: tuple[str, ...], feed: dict[str, np.ndarray]) -> list[Any]:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        time.sleep(0.01)
        with self._lock:
            self.running -= 1
        return []


def test_few_graphs_run_at_a_time_whatever_the_number_of_threads() -> None:
    session = CountingSession()
    with ThreadPoolExecutor(12) as threads:
        for _ in range(24):
            threads.submit(network._computed, session, ("a",), {}, Path("decoder.onnx"))
    assert session.most == network.RUNS_AT_ONCE
