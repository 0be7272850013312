"""The finder: where the teeth of an image are, from its embedding alone.

    features (256, h, w)  -> context: wide convolutions, and attention among 2 x 2 tokens  (width, h, w)
    HQ features (32, 4h, 4w), averaged to 2h x 2w, and the context, enlarged                (detail, 2h, 2w)
    -> at each of the 2h x 2w cells: is it the middle of a tooth or of an implant, where exactly, how large is it

A centre map without classes, and boxes (CenterNet, arXiv 1904.07850), learn from a few hundred images, where a
location map for each number does not. Numbers are left to the numberer, which sees all teeth at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dentasam.model.embedding import ImageEmbedding

# Cells of the finder's maps along each axis of a token; a cell is 8 frame pixels.
CELLS_PER_TOKEN = 2
CELL = 8
TOOTH, IMPLANT_KIND = 0, 1
KINDS = 2
# Centres start rare, so that the first steps do not spend themselves on the background.
_RARE = -4.0


@dataclass(frozen=True)
class FinderMaps:
    """The finder's maps of B images, over their cells.

    centres: (B, 2, 2h, 2w) logits of a tooth's and of an implant's middle.
    offsets: (B, 2, 2h, 2w) x, y from the cell's middle to the object's, in cells.
    sides: (B, 4, 2h, 2w) left, top, right, bottom: from the object's middle to the sides of its box, in cells, all
    positive.
    """

    centres: Tensor
    offsets: Tensor
    sides: Tensor


class Finder(nn.Module):
    """width, detail: channels at the token's and at the cell's resolution."""

    def __init__(self, width: int = 128, detail: int = 64) -> None:
        super().__init__()
        self.enter = nn.Linear(256 + 2, width)
        self.near = nn.Sequential(*(ConvBlock(width, 7) for _ in range(2)))
        self.far = GlobalBlock(width)
        self.mixed = nn.Sequential(ConvBlock(width, 7, dilation=2), ConvBlock(width, 7))
        self.enlarge = nn.Linear(width, detail)
        self.fine = nn.Linear(32, detail)
        self.cells = nn.Sequential(*(ConvBlock(detail, 5) for _ in range(2)))
        self.out = nn.Linear(detail, KINDS + 2 + 4)
        with torch.no_grad():
            self.out.bias[:KINDS] = _RARE

    def forward(self, features: Tensor, fine: Tensor) -> FinderMaps:
        """features: (B, 256, h, w). fine: (B, 32, 2h, 2w), `fine_features` of the HQ features."""
        context = _pointwise(self.enter, torch.cat([features, _coordinates(features)], dim=1))
        context = self.mixed(self.far(self.near(context)))
        enlarged = F.interpolate(
            _pointwise(self.enlarge, context), scale_factor=float(CELLS_PER_TOKEN), mode="bilinear"
        )
        detail = self.cells(enlarged + _pointwise(self.fine, fine))
        centres, offsets, sides = _pointwise(self.out, detail).split((KINDS, 2, 4), dim=1)
        return FinderMaps(centres, offsets, F.softplus(sides))


class ConvBlock(nn.Module):
    """A depthwise convolution and two layers at each place on what it gives, added to the input (ConvNeXt)."""

    def __init__(self, channels: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            channels, channels, kernel, padding=kernel // 2 * dilation, dilation=dilation, groups=channels
        )
        self.norm = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, 2 * channels)
        self.narrow = nn.Linear(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) to the same."""
        seen = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + self.narrow(F.gelu(self.widen(seen))).permute(0, 3, 1, 2)


class GlobalBlock(nn.Module):
    """Attention among all squares of 2 x 2 tokens, so that a tooth's surroundings are the whole jaw."""

    def __init__(self, channels: int, heads: int = 4, layers: int = 2) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(channels, heads, 2 * channels, 0.0, "gelu", batch_first=True, norm_first=True)
            for _ in range(layers)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) to the same."""
        pooled = F.avg_pool2d(x, 2, ceil_mode=True)  # (B, channels, ceil(h / 2), ceil(w / 2))
        tokens = pooled.flatten(2).transpose(1, 2)
        for layer in self.layers:
            tokens = layer(tokens)
        seen = tokens.transpose(1, 2).reshape(pooled.shape) - pooled
        return x + F.interpolate(seen, size=x.shape[-2:], mode="bilinear")


def fine_features(embedding: ImageEmbedding) -> Tensor:
    """The HQ features of an embedding averaged over a cell, (B, 32, 2h, 2w)."""
    return F.avg_pool2d(embedding.hq, 4 // CELLS_PER_TOKEN)


def _pointwise(layer: nn.Linear, x: Tensor) -> Tensor:
    """A layer at each place of (B, C, h, w): on a CPU much faster than a convolution of 1 x 1."""
    return layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _coordinates(features: Tensor) -> Tensor:
    """x and y of each token, -1 at one edge of the image and 1 at the other, (B, 2, h, w)."""
    batch, _, height, width = features.shape
    y, x = (torch.linspace(-1, 1, length, device=features.device, dtype=features.dtype) for length in (height, width))
    grid = torch.stack([x.expand(height, width), y[:, None].expand(height, width)])
    return grid.expand(batch, 2, height, width)
