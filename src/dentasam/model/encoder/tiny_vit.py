"""TinyViT as image encoder, in the layout of Light HQ-SAM and MobileSAM (Wu et al., ECCV 2022; Ke et al., 2023).

Convolutions reduce the image to a quarter, an eighth and a sixteenth of its size; attention within windows follows. A
window here is the square of tokens that attend to each other. Windows are padded with zeros at the right and lower
edge of the grid, as the original does on its square grid.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dentasam.model.core.layers import LayerNorm2d, attention

WIDTHS = (64, 128, 160, 320)
DEPTHS = (2, 2, 6, 2)
HEADS = (2, 4, 5, 10)
ATTENTION_WINDOWS = (7, 7, 14, 7)
INTERMEDIATE_WIDTH = WIDTHS[2]


class ConvBN(nn.Sequential):
    """Convolution without bias and batch norm, named `c` and `bn` as in the original."""

    def __init__(self, a: int, b: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.add_module("c", nn.Conv2d(a, b, kernel, stride, kernel // 2, groups=groups, bias=False))
        self.add_module("bn", nn.BatchNorm2d(b))


class PatchEmbed(nn.Module):
    """Two strided convolutions, (B, 3, h, w) -> (B, width, h / 4, w / 4)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.seq = nn.Sequential(ConvBN(3, width // 2, 3, 2), nn.GELU(), ConvBN(width // 2, width, 3, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.seq(x)


class MBConv(nn.Module):
    """Inverted bottleneck with a residual connection, on maps (B, width, h, w)."""

    def __init__(self, width: int, expand: int = 4) -> None:
        super().__init__()
        hidden = width * expand
        self.conv1 = ConvBN(width, hidden)
        self.conv2 = ConvBN(hidden, hidden, 3, groups=hidden)
        self.conv3 = ConvBN(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x + self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x))))))


class PatchMerging(nn.Module):
    """To the next stage's width, (B, a, h, w) -> (B, b, h / stride, w / stride)."""

    def __init__(self, a: int, b: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvBN(a, b)
        self.conv2 = ConvBN(b, b, 3, stride, groups=b)
        self.conv3 = ConvBN(b, b)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x)))))


class ConvStage(nn.Module):
    """Stage 0: inverted bottlenecks, then half the grid, (B, width, h, w) -> (B, out, h / 2, w / 2)."""

    def __init__(self, width: int, out: int, depth: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(MBConv(width) for _ in range(depth))
        self.downsample = PatchMerging(width, out, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return self.downsample(x)


class WindowAttention(nn.Module):
    """Attention within windows of tokens, with a learnt bias for each distance in x and y."""

    attention_bias_idxs: Tensor

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.num_heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, width * 3)
        self.proj = nn.Linear(width, width)
        offsets: dict[tuple[int, int], int] = {}
        points = list(itertools.product(range(window), range(window)))
        indices = [
            offsets.setdefault((abs(ay - by), abs(ax - bx)), len(offsets)) for ay, ax in points for by, bx in points
        ]
        self.attention_biases = nn.Parameter(torch.zeros(heads, len(offsets)))
        self.register_buffer(
            "attention_bias_idxs", torch.tensor(indices).view(len(points), len(points)), persistent=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (windows, window * window, width) -> the same shape."""
        qkv = self.qkv(self.norm(x)).unflatten(2, (self.num_heads, 3, -1))
        q, k, v = qkv.permute(3, 0, 2, 1, 4)
        bias = self.attention_biases[:, self.attention_bias_idxs].to(q.dtype)
        out = attention(q, k, v, bias[None])
        return self.proj(out.transpose(1, 2).flatten(2))


class MLP(nn.Module):
    """Layer norm and two linear layers."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(self.norm(x))))


class TinyViTBlock(nn.Module):
    """Attention within windows, a depthwise convolution and an MLP, on maps (B, C, h, w) in channels-last memory."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attn = WindowAttention(width, heads, window)
        self.local_conv = ConvBN(width, width, 3, groups=width)
        self.mlp = MLP(width, width * 4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.permute(0, 2, 3, 1)  # (B, h, w, C)
        x = (tokens + self._attend(tokens)).permute(0, 3, 1, 2)
        x = self.local_conv(x)
        tokens = x.permute(0, 2, 3, 1)
        return (tokens + self.mlp(tokens)).permute(0, 3, 1, 2)

    def _attend(self, x: Tensor) -> Tensor:
        batch, height, width, channels = x.shape
        side = self.window
        padded = F.pad(x, (0, 0, 0, -width % side, 0, -height % side))
        down, across = padded.shape[1] // side, padded.shape[2] // side
        windows = padded.view(batch, down, side, across, side, channels).transpose(2, 3)
        out = self.attn(windows.reshape(-1, side * side, channels))
        out = out.view(batch, down, across, side, side, channels).transpose(2, 3)
        return out.reshape(batch, down * side, across * side, channels)[:, :height, :width]


class Stage(nn.Module):
    """Stages 1 to 3: TinyViT blocks, then patch merging where `out` says to what width."""

    def __init__(self, width: int, out: int | None, depth: int, heads: int, window: int, stride: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(TinyViTBlock(width, heads, window) for _ in range(depth))
        self.downsample = PatchMerging(width, out, stride) if out else None

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return self.downsample(x) if self.downsample is not None else x


class TinyViT(nn.Module):
    """Image encoder of about 6 million parameters; fulfils `ImageEncoder`."""

    INTERMEDIATE_STAGE = 1

    def __init__(self, out_chans: int = 256) -> None:
        super().__init__()
        self.recompute = False
        self.patch_embed = PatchEmbed(WIDTHS[0])
        # The last merging keeps the grid, so that 1024 pixels end as 64 tokens.
        strides = (2, 2, 1)
        self.layers = nn.ModuleList([ConvStage(WIDTHS[0], WIDTHS[1], DEPTHS[0])])
        for index in range(1, 4):
            out = WIDTHS[index + 1] if index < 3 else None
            stride = strides[index] if index < 3 else 1
            self.layers.append(
                Stage(WIDTHS[index], out, DEPTHS[index], HEADS[index], ATTENTION_WINDOWS[index], stride)
            )
        self.neck = nn.Sequential(
            nn.Conv2d(WIDTHS[3], out_chans, kernel_size=1, bias=False),
            LayerNorm2d(out_chans),
            nn.Conv2d(out_chans, out_chans, kernel_size=3, padding=1, bias=False),
            LayerNorm2d(out_chans),
        )

    @property
    def supports_recompute(self) -> bool:
        """Not supported."""
        return False

    @property
    def parts(self) -> nn.ModuleList:
        """The four stages."""
        return self.layers

    def forward(self, pixels: Tensor, top: int | Tensor = 0, left: int | Tensor = 0) -> tuple[Tensor, Tensor]:
        """Image embeddings (B, 256, rows, cols) and the intermediate map (B, 160, rows, cols).

        pixels: (B, 3, 16 rows, 16 cols). top, left: without effect, as TinyViT has no absolute positions.
        """
        return self.suffix(*self.prefix(pixels, 0, top, left), 0)

    def prefix(
        self, pixels: Tensor, stop: int, top: int | Tensor = 0, left: int | Tensor = 0
    ) -> tuple[Tensor, Tensor | None]:
        """The input (B, C, h, w) of stage `stop`, and the intermediate map, None where it is computed later."""
        x = self.patch_embed(pixels.contiguous(memory_format=torch.channels_last))
        return self._stages(x, None, 0, stop)

    def suffix(self, tokens: Tensor, intermediate: Tensor | None, start: int) -> tuple[Tensor, Tensor]:
        """What `forward` returns, from what `prefix` returned for stage `start`."""
        x = tokens.contiguous(memory_format=torch.channels_last)
        x, intermediate = self._stages(x, intermediate, start, len(self.layers))
        return self.neck(x), x if intermediate is None else intermediate

    def _stages(self, x: Tensor, intermediate: Tensor | None, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        for index in range(start, stop):
            if index == self.INTERMEDIATE_STAGE + 1:
                intermediate = x
            x = self.layers[index](x)
        return x, intermediate
