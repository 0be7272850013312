"""Muon: an optimiser that makes the momentum of a weight matrix nearly orthogonal before it moves the weight.

A step of Adam moves a matrix mostly along its few strongest directions. Muon moves all directions by about the same
amount, and so learns more from the same images. Vectors, and matrices too thin for it to matter, are moved by AdamW
with the same learning rate. Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024).
The length of a step, like that of AdamW's, is from Liu et al., "Muon is scalable for LLM training" (2025).
torch.optim.Muon takes two-dimensional weights only; half of TinyViT's are convolutions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5
# The root mean square of AdamW's update; with it a learning rate that was tuned for AdamW fits Muon.
ADAMW_RMS = 0.2
# A matrix with a shorter side than this is moved by AdamW.
MIN_MATRIX_SIDE = 16


class Muon(torch.optim.Optimizer):
    """Muon on matrices and convolutions (as output channels by the rest), AdamW on everything else.

    arithmetic: the type that matrices are orthogonalised in, None for their own; bf16 is precise enough.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        weight_decay: float,
        betas: tuple[float, float],
        arithmetic: torch.dtype | None = None,
    ) -> None:
        parameters = list(parameters)
        self.arithmetic = arithmetic
        groups: list[dict[str, Any]] = [
            {"params": [p for p in parameters if is_matrix(p)], "weight_decay": weight_decay, "matrices": True},
            {
                "params": [p for p in parameters if not is_matrix(p) and p.ndim > 1],
                "weight_decay": weight_decay,
                "matrices": False,
            },
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0, "matrices": False},
        ]
        super().__init__([group for group in groups if group["params"]], {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move every weight that has a gradient. `closure` is not used."""
        for group in self.param_groups:
            move = self._move_matrix if group["matrices"] else self._move_like_adamw
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    move(parameter, parameter.grad, group)

    def _move_matrix(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        update = orthogonalised(gradient.lerp(momentum, MOMENTUM).flatten(1), self.arithmetic)
        scale = ADAMW_RMS * max(update.shape) ** 0.5
        parameter.add_(update.view_as(parameter), alpha=-group["lr"] * scale)

    def _move_like_adamw(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state.update(step=torch.zeros(()), mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter))
        first, second = group["betas"]
        state["step"] += 1
        step = int(state["step"])
        mean = state["mean"].lerp_(gradient, 1 - first)
        square = state["square"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
        root = (square / (1 - second**step)).sqrt_().add_(1e-8)
        parameter.addcdiv_(mean, root, value=-group["lr"] / (1 - first**step))


def is_matrix(parameter: Tensor) -> bool:
    """Whether a weight is moved as a matrix: both its first dimension and the product of the rest are long enough."""
    return parameter.ndim > 1 and min(parameter.shape[0], parameter[0].numel()) >= MIN_MATRIX_SIDE


def orthogonalised(matrix: Tensor, arithmetic: torch.dtype | None = None) -> Tensor:
    """The matrix (m, n) with its singular values moved to about 1 (0.7 to 1.2) by five Newton-Schulz steps."""
    first, second, third = NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    work = (matrix.T if tall else matrix).to(arithmetic or matrix.dtype)
    work = work / (work.norm() + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = work @ work.T
        work = first * work + (second * gram + third * gram @ gram) @ work
    return (work.T if tall else work).to(matrix.dtype)
