"""The numberer: the numbers of a set of teeth as a whole, from where they stand and what they look like.

A transformer over the P objects of an image, without an order of its own: each object's token is its geometry and
what the finder saw there, and attention between two objects is biased by how they stand to each other. Its logits
are turned into one number for each object by `assignment.py`, which knows the rules of a dentition.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dentasam.model.chart.finder import CELL, NUMBER_CLASSES, FinderMaps

# The numbers, a tooth beyond the normal set, and an object that is not a tooth.
OUTCOMES = NUMBER_CLASSES + 1
NOT_A_TOOTH = NUMBER_CLASSES
GEOMETRY = 12
RELATION = 9
# Samples of a box along each axis, of which the mean is what the numberer sees of the object.
_SAMPLES = 3
# Lengths are counted in frame pixels over this: about the height of a tooth.
_UNIT = 100.0


class Numberer(nn.Module):
    """looks: channels of `pooled_looks`. Logits (P, 54) for P objects."""

    def __init__(self, looks: int, width: int = 128, layers: int = 4, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.place = nn.Sequential(nn.Linear(GEOMETRY, width), nn.GELU(), nn.Linear(width, width))
        self.look = nn.Sequential(nn.LayerNorm(looks), nn.Linear(looks, width))
        self.unseen = nn.Parameter(torch.zeros(width))
        self.relation = nn.Sequential(nn.Linear(RELATION, 32), nn.GELU(), nn.Linear(32, layers * heads))
        self.layers = nn.ModuleList(SetLayer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, OUTCOMES)

    def forward(self, boxes: Tensor, looks: Tensor, seen: Tensor, present: Tensor) -> Tensor:
        """Logits (B, P, 54) of the outcomes.

        boxes: (B, P, 4) x0, y0, x1, y1 in frame pixels. looks: (B, P, channels). seen: (B, P) bool, whether an
        object's looks count. present: (B, P) bool, False for padding.
        """
        look = torch.where(seen[..., None], self.look(looks), self.unseen)
        x = self.place(geometry(boxes, present)) + look
        bias = self.relation(relations(boxes, present))  # (B, P, P, layers * heads)
        bias = bias.masked_fill(~present[:, None, :, None], -1e4).permute(0, 3, 1, 2)
        for layer, own in zip(self.layers, bias.chunk(len(self.layers), dim=1), strict=True):
            x = layer(x, own)
        return self.out(self.norm(x))


class SetLayer(nn.Module):
    """Attention among the objects of a set, with a bias for each pair, then a step for each object by itself."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.join = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x: (B, P, width). bias: (B, heads, P, P)."""
        batch, objects, width = x.shape
        qkv = self.qkv(self.norm(x)).view(batch, objects, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], attn_mask=bias)
        x = x + self.join(mixed.transpose(1, 2).reshape(batch, objects, width))
        return x + self.mlp(self.norm_mlp(x))


def geometry(boxes: Tensor, present: Tensor) -> Tensor:
    """Where each object stands, (B, P, 12): in the frame, among the others, and how large it is.

    Places among the others do not depend on how the jaw lies in the image, but on which teeth there are; places in
    the frame the other way round.
    """
    middle, size = (boxes[..., :2] + boxes[..., 2:]) / 2, (boxes[..., 2:] - boxes[..., :2]).clamp(min=1)
    weight = present[..., None].to(boxes.dtype)
    count = weight.sum(dim=1, keepdim=True).clamp(min=1)
    mean = (middle * weight).sum(1, keepdim=True) / count
    spread = (((middle - mean) ** 2 * weight).sum(1, keepdim=True) / count).sqrt().clamp(min=8)
    usual = (size.log() * weight).sum(1, keepdim=True) / count
    infinite = torch.finfo(boxes.dtype).max
    low = middle.masked_fill(~present[..., None], infinite).amin(1, keepdim=True)
    high = middle.masked_fill(~present[..., None], -infinite).amax(1, keepdim=True)
    across = (middle - (low + high) / 2) / (high - low).clamp(min=_UNIT)
    parts = [middle / 512 - 1, (middle - mean) / spread, across, size.log() - 4, size.log() - usual]
    ratio = (size[..., 1:] / size[..., :1]).log()
    among = count.expand(*boxes.shape[:2], 1) / 16 - 1
    return torch.cat([*parts, ratio, among], dim=-1) * weight


def relations(boxes: Tensor, present: Tensor) -> Tensor:
    """How each object (row) stands to each other one (column), (B, P, P, 9)."""
    middle, size = (boxes[..., :2] + boxes[..., 2:]) / 2, (boxes[..., 2:] - boxes[..., :2]).clamp(min=1)
    weight = present[..., None].to(boxes.dtype)
    usual = ((size.log() * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=1)).exp()
    apart = (middle[:, None] - middle[:, :, None]) / usual[:, None]  # (B, P, P, 2), from the row to the column
    ratio = size.log()[:, None] - size.log()[:, :, None]
    near = torch.exp(-(apart**2).sum(-1, keepdim=True) / 2)
    return torch.cat([apart / 4, apart.tanh(), ratio, near, (apart[..., :1] / 4).abs(), (apart[..., 1:]).abs()], -1)


def pooled_looks(maps: FinderMaps, boxes: Tensor) -> Tensor:
    """What the finder saw of P objects of one image: (P, width + detail + 53).

    maps: of that image alone. boxes: (P, 4) in frame pixels, measured from the frame's first token.
    """
    steps = (torch.arange(_SAMPLES, device=boxes.device, dtype=boxes.dtype) + 0.5) / _SAMPLES
    x = boxes[:, :1] + steps * (boxes[:, 2:3] - boxes[:, :1])  # (P, 3)
    y = boxes[:, 1:2] + steps * (boxes[:, 3:] - boxes[:, 1:2])
    points = torch.stack([x[:, None].expand(-1, _SAMPLES, -1), y[:, :, None].expand(-1, -1, _SAMPLES)], dim=-1)
    height, width = maps.centres.shape[-2:]
    extent = points.new_tensor([width * CELL, height * CELL])
    grid = (points / extent * 2 - 1).reshape(1, -1, _SAMPLES**2, 2)  # (1, P, 9, 2)

    def sampled(plane: Tensor) -> Tensor:
        found = F.grid_sample(plane, grid, mode="bilinear", align_corners=False, padding_mode="border")
        return found[0].permute(1, 2, 0)  # (P, 9, channels)

    numbers = sampled(maps.numbers).log_softmax(-1)
    inner = numbers[:, _SAMPLES**2 // 2].exp()
    return torch.cat([sampled(maps.context).mean(1), sampled(maps.detail).mean(1), inner], dim=-1)


def looks_width(context: int, detail: int) -> int:
    """Channels of `pooled_looks`."""
    return context + detail + NUMBER_CLASSES


def padded(sets: Sequence[Tensor], value: float = 0.0) -> tuple[Tensor, Tensor]:
    """Sets (P_i, C) as one tensor (B, P, C), and which rows are objects, (B, P) bool."""
    length = max((len(one) for one in sets), default=0)
    joined = torch.stack([F.pad(one, (0, 0, 0, length - len(one)), value=value) for one in sets])
    present = torch.stack([torch.arange(length, device=one.device) < len(one) for one in sets])
    return joined, present
