"""Memory that ONNX Runtime may take in this process, however large the tensors are that a graph asks for.

ONNX Runtime bounds memory only for an allocator that all sessions of a process share, and that is registered once:
the first model that is opened determines the bound.
"""

from __future__ import annotations

import threading
from typing import Any

# Weights and tensors of the smallest model: 16 windows or a square image are encoded in 0.7 GB, and some objects are
# decoded meanwhile.
BASE_BYTES = 7 << 28
# A larger encoder has larger tensors: those of the largest take some times as much as its weights.
BYTES_PER_BYTE = 8
# Memory is extended by what is asked for, not to the next power of two.
EXTEND_AS_REQUESTED = 1

_lock = threading.Lock()
_registered = 0


def bound_for(weights: int) -> int:
    """Bytes that graphs with so many bytes of weights may take together."""
    return BASE_BYTES + BYTES_PER_BYTE * weights


def share_bounded_memory(options: Any, bound: int) -> None:
    """Makes a session of these options take its memory from the shared allocator, which has at least `bound` bytes.

    A model that may need more than the first one of the process keeps an allocator of its own.
    """
    global _registered
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime

    with _lock:
        if not _registered:
            kind = runtime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
            memory = runtime.OrtMemoryInfo("Cpu", kind, 0, runtime.OrtMemType.DEFAULT)
            settings = {"max_mem": bound, "arena_extend_strategy": EXTEND_AS_REQUESTED}
            onnxruntime.create_and_register_allocator(memory, runtime.OrtArenaCfg(settings))
            _registered = bound
        if bound <= _registered:
            options.add_session_config_entry("session.use_env_allocators", "1")
