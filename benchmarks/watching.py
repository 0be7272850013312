"""What a run costs: seconds, peak memory and floating-point operations, on the CPU and on CUDA."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, register_flop_formula, sdpa_flop_count

STATUS, CLEAR, MEMINFO = Path("/proc/self/status"), Path("/proc/self/clear_refs"), Path("/proc/meminfo")
CAN_CLEAR = "5"  # resets the peak of the resident memory
# Of the memory that is available: what one side may take, and below which share of all of it memory is short.
USABLE, SHORT = 0.9, 2 / 3


def timed(run: Callable[[], object], device: torch.device, times: int = 1) -> float:
    """Seconds of one run, the mean of so many, until the device has done them."""
    synchronise(device)
    started = time.perf_counter()
    for _ in range(times):
        run()
    synchronise(device)
    return (time.perf_counter() - started) / times


def watched(run: Callable[[], object], device: torch.device) -> tuple[float, dict[str, Any]]:
    """Seconds of one run, its operations, the memory it added and the peak of the whole process."""
    counter = FlopCounterMode(display=False)
    before = start_of_peak(device)
    with counter:
        seconds = timed(run, device)
    peak = peak_bytes(device)
    return seconds, {"flop": counter.get_total_flops(), "peak_bytes": peak, "added_bytes": max(0, peak - before)}


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def start_of_peak(device: torch.device) -> int:
    """Bytes in use now; what `peak_bytes` returns later counts from here."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    if not sys.platform.startswith("linux"):
        return peak_bytes(device)
    ctypes.CDLL(None).malloc_trim(0)  # what earlier runs have freed is not this one's
    CLEAR.write_text(CAN_CLEAR)
    return _bytes(STATUS, "VmRSS")


def peak_bytes(device: torch.device) -> int:
    """The most that was allocated on the GPU, or that was resident on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if not sys.platform.startswith("linux"):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS, from the start of the process
    return _bytes(STATUS, "VmHWM")


def give_back_if_short(device: torch.device) -> None:
    """Hand freed memory back to the system where the other sides may need it: it costs the next run page faults."""
    if (
        device.type == "cpu"
        and sys.platform.startswith("linux")
        and _bytes(MEMINFO, "MemAvailable") < _bytes(MEMINFO, "MemTotal") * SHORT
    ):
        ctypes.CDLL(None).malloc_trim(0)


def limit_memory(device: torch.device) -> None:
    """Let this process fail on its own before the system has to end one: no more than what is free now."""
    if device.type != "cpu" or not sys.platform.startswith("linux"):
        return
    limit = int(_bytes(MEMINFO, "MemAvailable") * USABLE)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))


def _bytes(table: Path, field: str) -> int:
    """A field of one of the kernel's tables, in bytes."""
    line = next(line for line in table.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


# The fused attention of the CPU is missing among torch's own formulas.
if hasattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu"):

    @register_flop_formula(torch.ops.aten._scaled_dot_product_flash_attention_for_cpu)
    def _attention_on_cpu(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
        return int(sdpa_flop_count(query, key, value))

    @register_flop_formula(torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward)
    def _attention_on_cpu_backward(_grad: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
        return int(2.5 * sdpa_flop_count(query, key, value))
