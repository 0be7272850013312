"""Averages over processes, made after the step instead of during it.

A step has a backward pass for each click and one through the encoder, so gradients are complete only at its end.
Hooks that exchange them in each backward pass would send them a dozen times. Instead each process adds up its own
share, weighted by its number of objects, and one reduction gives what a single process would have on the whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Tensor, nn


def scale_gradients(parameters: Sequence[nn.Parameter], factor: float) -> None:
    """Multiply all gradients in place."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if gradients and factor != 1.0:
        torch._foreach_mul_(gradients, factor)


def average_gradients(accelerator: Accelerator, parameters: Sequence[nn.Parameter], objects: int) -> None:
    """Replace the mean gradient over this process's `objects` by that over the objects of all processes."""
    if accelerator.num_processes == 1:
        return
    device = parameters[0].device
    present = torch.tensor([float(p.grad is not None) for p in parameters] + [float(objects)], device=device)
    present = accelerator.reduce(present, "sum")
    total = float(present[-1])
    if total == 0:
        return
    # A parameter that no process used has no gradient afterwards, as in a single process.
    used = [parameter for parameter, count in zip(parameters, present[:-1].tolist(), strict=True) if count]
    parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in used]
    flat = torch.cat([part.flatten() for part in parts]) * (objects / total)
    flat = accelerator.reduce(flat, "sum")
    for parameter, part in zip(used, flat.split([part.numel() for part in parts]), strict=True):
        parameter.grad = part.view_as(parameter)


def average_statistics(accelerator: Accelerator, model: nn.Module) -> None:
    """Give all processes the mean of their batch norm statistics."""
    if accelerator.num_processes == 1:
        return
    for buffer in model.buffers():
        if buffer.is_floating_point():
            buffer.copy_(accelerator.reduce(buffer.clone(), "mean"))


def copy_from_first(accelerator: Accelerator, tensors: Sequence[Tensor]) -> None:
    """Copy the first process's tensors to all others."""
    if accelerator.num_processes == 1:
        return
    with torch.no_grad():
        for tensor in tensors:
            tensor.copy_(broadcast(tensor.detach().clone()))


def total(accelerator: Accelerator, values: Sequence[float]) -> list[float]:
    """Sums over processes, in double precision."""
    if accelerator.num_processes == 1:
        return [float(value) for value in values]
    summed = accelerator.reduce(torch.tensor(values, dtype=torch.float64, device=accelerator.device), "sum")
    result: list[float] = summed.tolist()
    return result
