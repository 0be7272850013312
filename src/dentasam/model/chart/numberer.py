"""The numberer: the numbers of a set of teeth as a whole, from where they stand and how they are shaped.

A transformer over the P objects of an image, without an order of its own: each object's token is its geometry, the
shape of its mask and the number that it has already; attention between two objects is biased by how they stand to
each other. It sees no gray values: features of the finder, which is fitted to the training images, would mislead it
on others. Its logits are turned into one number for each object by `assignment.py`, which knows the rules of a
dentition.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dentasam.model.chart.dentition import MIRRORED_OUTCOMES, OUTCOMES
from dentasam.model.chart.shapes import SHAPE

GEOMETRY = 12
RELATION = 9
# The number of an object that has none yet.
UNKNOWN = OUTCOMES
# Lengths are counted in frame pixels over this: about the height of a tooth.
_UNIT = 100.0
# Of the places among the others and the shapes, so that a few hundred charts are not learnt by heart.
_DROPPED, _SHAPE_DROPPED = 0.1, 0.2


class Numberer(nn.Module):
    """Logits (P, 54) for P objects."""

    def __init__(self, width: int = 128, layers: int = 4, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.place = nn.Sequential(nn.Linear(GEOMETRY, width), nn.GELU(), nn.Linear(width, width))
        self.shape = ShapeEncoder(width)
        self.unseen = nn.Parameter(torch.zeros(width))
        self.known = nn.Embedding(OUTCOMES + 1, width)
        nn.init.zeros_(self.known.weight)
        self.relation = nn.Sequential(nn.Linear(RELATION, 32), nn.GELU(), nn.Linear(32, layers * heads))
        self.layers = nn.ModuleList(SetLayer(width, heads) for _ in range(layers))
        self.dropout = nn.Dropout(_DROPPED)
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, OUTCOMES)

    def forward(self, boxes: Tensor, shapes: Tensor, seen: Tensor, known: Tensor, present: Tensor) -> Tensor:
        """Logits (B, P, 54) of the outcomes.

        boxes: (B, P, 4) x0, y0, x1, y1 in frame pixels. shapes: (B, P, 24, 16), see `shapes_of`. seen: (B, P) bool,
        whether an object's shape counts. known: (B, P) the outcome of each object that has one already, else
        `UNKNOWN`. present: (B, P) bool, False for padding.
        """
        shape = torch.where(seen[..., None], self.shape(shapes), self.unseen)
        x = self.place(geometry(boxes, present)) + shape + self.known(known)
        bias = self.relation(relations(boxes, present))  # (B, P, P, layers * heads)
        bias = bias.masked_fill(~present[:, None, :, None], -1e4).permute(0, 3, 1, 2)
        for layer, own in zip(self.layers, bias.chunk(len(self.layers), dim=1), strict=True):
            x = self.dropout(layer(x, own))
        return self.out(self.norm(x))

    def probabilities(self, boxes: Tensor, shapes: Tensor, seen: Tensor, known: Tensor, width: float) -> Tensor:
        """Probabilities (P, 54) for the objects of one image: the mean over the image and its mirror image.

        As `forward`, without the batch. width: of the frame, in its pixels.
        """
        edges = boxes.new_tensor([width, 0.0, width, 0.0])
        mirrored = (edges - boxes * boxes.new_tensor([1.0, -1.0, 1.0, -1.0]))[:, [2, 1, 0, 3]]
        swapped = torch.tensor([*MIRRORED_OUTCOMES, UNKNOWN], device=boxes.device)
        there = torch.ones(2, len(boxes), dtype=torch.bool, device=boxes.device)
        logits = self(
            torch.stack([boxes, mirrored]),
            torch.stack([shapes, shapes.flip(-1)]),
            seen.expand(2, -1),
            torch.stack([known, swapped[known]]),
            there,
        )
        plain, other = logits.double().softmax(-1)
        return (plain + other[:, swapped[:OUTCOMES]]) / 2


class ShapeEncoder(nn.Module):
    """What a shape says of an object: three convolutions, each of half the resolution, then one layer over all."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(32, 32, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Flatten(),
            nn.Dropout(_SHAPE_DROPPED),
        )
        self.out = nn.Linear(32 * SHAPE[0] * SHAPE[1] // 64, width)

    def forward(self, shapes: Tensor) -> Tensor:
        """(B, P, 24, 16) to (B, P, width)."""
        batch, objects = shapes.shape[:2]
        return self.out(self.convolutions(shapes.reshape(batch * objects, 1, *SHAPE))).view(batch, objects, -1)


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


def padded(sets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Sets (P_i, C) as one tensor (B, P, C), and which rows are objects, (B, P) bool."""
    length = max((len(one) for one in sets), default=0)
    joined = torch.stack([F.pad(one, (0, 0, 0, length - len(one))) for one in sets])
    present = torch.stack([torch.arange(length, device=one.device) < len(one) for one in sets])
    return joined, present
