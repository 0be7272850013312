"""bf16 or fp32: the precision of large matrix products, by torch's autocast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["auto", "fp32", "bf16"]


def autocast_type(precision: Precision, device: torch.device) -> torch.dtype | None:
    """The autocast type for a precision on a device; None for single precision.

    "auto" is bf16 on a GPU or CPU with instructions for it, else fp32: without them bf16 is emulated, on a CPU
    several times slower than fp32.
    """
    import torch  # here, so that recipes can be read without it

    if precision == "bf16":
        return torch.bfloat16
    if precision == "fp32":
        return None
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else None
    if device.type == "cpu":
        native = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
        return torch.bfloat16 if native is not None and native() else None
    return None


def arithmetic(dtype: torch.dtype | None, device: torch.device) -> torch.autocast:
    """A context in which torch computes in `dtype`; without effect for None."""
    import torch

    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)
