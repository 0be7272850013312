"""How long a graph may compute: a few bytes may ask for work without an end, which no check of the file can tell."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# One run encodes an image or decodes some objects, in seconds; a slow machine that does other work meanwhile may take
# a hundred times as long.
BASE_SECONDS = 600.0
# A larger encoder computes more: so much for every 0.5 GB of its weights.
SECONDS_PER_BYTE = 600.0 / (1 << 29)


def seconds_for(weights: int) -> float:
    """Seconds that one run of a graph may take, by the bytes of its weights."""
    return BASE_SECONDS + SECONDS_PER_BYTE * weights


@contextmanager
def ended_after(seconds: float) -> Iterator[tuple[Any, threading.Event]]:
    """The options of a run that ONNX Runtime ends before its next operation, and whether its time was over."""
    import onnxruntime

    options, ended = onnxruntime.RunOptions(), threading.Event()

    def end() -> None:
        ended.set()
        options.terminate = True

    timer = threading.Timer(seconds, end)
    # The process may end meanwhile.
    timer.daemon = True
    timer.start()
    try:
        yield options, ended
    finally:
        timer.cancel()
