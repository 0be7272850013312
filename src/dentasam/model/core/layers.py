"""Layers and attention that several parts of SAM share; names as in segment-anything's `modeling/common.py`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LayerNorm2d(nn.Module):
    """Layer norm over the channels of (B, C, H, W), with the official eps 1e-6.

    Uses channels-last memory and the fused kernel: the original computes mean and variance in four passes over maps
    that are 1024 tokens wide in the HQ head.
    """

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        channels_last = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, self.eps)
        return channels_last.permute(0, 3, 1, 2)


class MLPBlock(nn.Module):
    """Two linear layers around an activation: (..., dim) -> (..., dim)."""

    def __init__(self, dim: int, hidden: int, activation: type[nn.Module] = nn.GELU) -> None:
        super().__init__()
        self.lin1 = nn.Linear(dim, hidden)
        self.lin2 = nn.Linear(hidden, dim)
        self.act = activation()

    def forward(self, x: Tensor) -> Tensor:
        projected: Tensor = self.lin2(self.act(self.lin1(x)))
        return projected


def attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """Attention of (B, heads, n, d) queries on (B, heads, m, d) keys and values, plus `bias` on the logits.

    On a CPU with gradients it is written out: the fused kernel's backward is up to seven times slower than its
    forward for the few tokens and small attention windows here (in bfloat16; in float32 the two are equal).
    """
    if q.device.type == "cpu" and torch.is_grad_enabled():
        logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
        return (logits if bias is None else logits + bias).softmax(dim=-1) @ v
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
