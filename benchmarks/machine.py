"""The machine that a benchmark ran on, and how fast it is at the two things everything here is made of."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from dentasam.model.core.precision import Precision, autocast_type

from .watching import synchronise

# Within Machine the name `torch` is the version.
Device = torch.device


@dataclass(frozen=True)
class Machine:
    """Where the figures are from. matmul_flops, in `precision`, and copy_bytes are measured ceilings, per second."""

    system: str
    processor: str
    cores: int
    threads: int
    device: str
    torch: str
    load_average: float
    matmul_flops: float
    copy_bytes: float
    precision: Precision = "fp32"

    @classmethod
    def here(cls, device: Device, quick: bool = False, precision: Precision = "fp32") -> Machine:
        """This machine, with its ceilings measured now."""
        size = 512 if quick else 8192 if device.type == "cuda" else 2048
        return cls(
            f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
            _processor(),
            os.cpu_count() or 1,
            torch.get_num_threads(),
            torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            torch.__version__,
            os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0,
            matmul_ceiling(device, size, autocast_type(precision, device) or torch.float32),
            copy_ceiling(device, 2**24 if quick else 2**28),
            precision,
        )

    def ceiling(self, flop: float, moved: float) -> float:
        """The most operations a second for work of so many operations on so many bytes (Williams et al., 2009)."""
        return min(self.matmul_flops, flop / moved * self.copy_bytes)

    def under_ceiling(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row with its operations a second and, where its traffic is known, their share of the ceiling.

        Not of one in another arithmetic than that in which the ceiling was measured.
        """
        if "flop" not in row or "seconds" not in row:
            return row
        rate = row["flop"] / row["seconds"]
        found = row | {"flop_per_second": rate}
        if row.get("bytes") and row.get("precision", self.precision) == self.precision:
            found["share_of_ceiling"] = rate / self.ceiling(row["flop"], row["bytes"])
        return found

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def line(self) -> str:
        return (
            f"{self.processor}, {self.cores} cores, {self.threads} threads, {self.device}, torch {self.torch}, "
            f"load average {self.load_average:.1f}; matrix multiply in {self.precision} "
            f"{self.matmul_flops / 1e9:,.0f} GFLOP/s, copy {self.copy_bytes / 1e9:,.1f} GB/s"
        )


def matmul_ceiling(device: torch.device, size: int, dtype: torch.dtype = torch.float32) -> float:
    """Operations a second of a square matrix product, the best of five."""
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    return 2 * size**3 / _best(lambda: torch.mm(a, b, out=out), device)


def copy_ceiling(device: torch.device, size: int) -> float:
    """Bytes a second, read and written, of copying a buffer of `size` bytes, the best of five."""
    source = torch.zeros(size // 4, device=device)
    target = torch.ones_like(source)
    return 2 * size / _best(lambda: target.copy_(source), device)


def _best(action: Callable[[], object], device: torch.device) -> float:
    taken = []
    for _ in range(6):
        synchronise(device)
        started = time.perf_counter()
        action()
        synchronise(device)
        taken.append(time.perf_counter() - started)
    return min(taken[1:])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
