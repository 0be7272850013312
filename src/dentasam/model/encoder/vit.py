"""SAM's plain ViT image encoder (ViT-B, ViT-L, ViT-H) on a token grid of any shape up to its own.

After `segment_anything/modeling/image_encoder.py` (Kirillov et al. 2023) and ViTDet (Li et al. 2022), with
the official parameter names. A window here is the square of tokens that attend to each other.

Positional tables are sliced, never resized: a token of a 32x64 grid reads exactly the entries it would read in the
padded 64x64 square, where resizing a table for a non-square grid would make the offset +5 read entry 73.1 instead of
68.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from dentasam.model.core.layers import LayerNorm2d, MLPBlock

# Attention scores that a CPU computes at a time where it trains: those of one head on a panoramic.
MAX_SCORES_AT_ONCE = 2**22


class PatchEmbed(nn.Module):
    """Cut the image into patches: (B, 3, 16*rows, 16*cols) -> (B, rows, cols, C)."""

    def __init__(self, patch_size: int, embed_dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, embed_dim, kernel_size=patch_size, stride=patch_size)

    def forward(self, pixels: Tensor) -> Tensor:
        tokens: Tensor = self.proj(pixels)
        return tokens.permute(0, 2, 3, 1)


def relative_table(table: Tensor, size: int) -> Tensor:
    """Entries of a relative position table for every pair of positions on an axis.

    Args:
        table: (2*S - 1, c); entry S - 1 is offset 0.
        size: number of positions n on the axis, n <= S.

    Returns:
        (n, n, c): [query, key] -> the entry of offset query - key, the same entry as on the full axis S.
    """
    position = torch.arange(size, device=table.device)
    return table[position[:, None] - position[None, :] + (table.shape[0] - 1) // 2]


def attend(parts: Tensor, tables: tuple[Tensor, Tensor] | None) -> Tensor:
    """Attention of queries, keys and values (3, B, heads, h*w, c): (B, heads, h*w, c).

    tables: (h, h, c) and (w, w, c) from `relative_table`, or None.
    """
    query, key, value = parts.unbind(0)
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=None if tables is None else position_bias(query, *tables)
    )


def position_bias(query: Tensor, by_height: Tensor, by_width: Tensor) -> Tensor:
    """Bias q . (R_h + R_w) of every pair of tokens, to be added to the scores: (B, heads, h*w, h*w)."""
    # Not len(): an exported graph would keep the number of its example.
    grid = query.reshape(*query.shape[:2], by_height.shape[0], by_width.shape[0], query.shape[3])
    by_row = torch.einsum("bnhwc,hkc->bnhwk", grid, by_height.to(query.dtype))
    by_column = torch.einsum("bnhwc,wkc->bnhwk", grid, by_width.to(query.dtype))
    bias = by_row.unsqueeze(-1) + by_column.unsqueeze(-2)  # (B, heads, h, w, h, w)
    return bias.flatten(4, 5).flatten(2, 3)


def attend_by_heads(parts: Tensor, tables: tuple[Tensor, Tensor] | None) -> Tensor:
    """`attend` for a few heads at a time, whose scores the backward computes again.

    The scores of all heads on a panoramic's grid take 200 MB a block, and an autograd graph keeps several copies;
    those of one head fit into the caches. The forward can then also use the fused kernel, which has no backward with
    a bias.
    """
    found: Tensor = _AttendByHeads.apply(parts, *(tables or (None, None)))
    return found


class _AttendByHeads(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, parts: Tensor, by_height: Tensor | None, by_width: Tensor | None) -> Tensor:
        ctx.save_for_backward(parts, by_height, by_width)
        return torch.cat([attend(some, _pair(by_height, by_width)) for some in _heads(parts)], dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        parts, *tables = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        leaves = [
            None if table is None else table.detach().requires_grad_(want)
            for table, want in zip(tables, wanted[1:], strict=True)
        ]
        some = [each.detach().requires_grad_(wanted[0]) for each in _heads(parts)]
        for leaf, part in zip(some, grad.split([each.shape[2] for each in some], dim=1), strict=True):
            with torch.enable_grad():
                attend(leaf, _pair(*leaves)).backward(part)
        gradients = [each.grad for each in some if each.grad is not None]
        whole = torch.cat(gradients, dim=2) if gradients else None
        return whole, *(None if leaf is None else leaf.grad for leaf in leaves)


def _heads(parts: Tensor) -> tuple[Tensor, ...]:
    """Split into groups of heads that have at most MAX_SCORES_AT_ONCE scores, but at least one head."""
    return parts.split(max(1, MAX_SCORES_AT_ONCE // (parts.shape[1] * parts.shape[3] ** 2)), dim=2)


def _pair(by_height: Tensor | None, by_width: Tensor | None) -> tuple[Tensor, Tensor] | None:
    return None if by_height is None or by_width is None else (by_height, by_width)


class Attention(nn.Module):
    """Multi-head self-attention over an h x w grid with decomposed relative positions (MViTv2)."""

    def __init__(self, dim: int, num_heads: int, grid: int, qkv_bias: bool, use_rel_pos: bool) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.use_rel_pos = use_rel_pos
        self.qkv = nn.Linear(dim, dim * 3, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        if use_rel_pos:
            head_dim = dim // num_heads
            self.rel_pos_h = nn.Parameter(torch.zeros(2 * grid - 1, head_dim))
            self.rel_pos_w = nn.Parameter(torch.zeros(2 * grid - 1, head_dim))

    def forward(self, x: Tensor, window: int = 0) -> Tensor:
        """(B, rows, cols, C) -> the same, over the whole grid or within windows of `window` tokens a side."""
        rows, cols, dim = x.shape[1:]
        qkv = self.qkv(x)
        if window:
            # The zero tokens that pad the windows are keys too, as in the original: their projection is the bias.
            qkv = into_windows(qkv, window, self.qkv(x.new_zeros(1, dim))[0])
        batch, height, width, _ = qkv.shape
        parts = qkv.reshape(batch, height * width, 3, self.num_heads, dim // self.num_heads)
        parts = parts.permute(2, 0, 3, 1, 4)  # (3, B, heads, h*w, c)
        tables = None
        if self.use_rel_pos:
            tables = relative_table(self.rel_pos_h, height), relative_table(self.rel_pos_w, width)
        attended = attend_by_heads if x.device.type == "cpu" and torch.is_grad_enabled() else attend
        x = attended(parts, tables).transpose(1, 2).reshape(batch, height, width, dim)
        projected: Tensor = self.proj(from_windows(x, rows, cols) if window else x)
        return projected


class Block(nn.Module):
    """A transformer block, with attention over the whole grid (`window_size` 0) or within windows."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        grid: int,
        window_size: int,
        mlp_ratio: float,
        qkv_bias: bool,
        use_rel_pos: bool,
    ) -> None:
        super().__init__()
        self.window_size = window_size
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, num_heads, window_size or grid, qkv_bias, use_rel_pos)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = MLPBlock(dim, int(dim * mlp_ratio))

    def forward(self, x: Tensor) -> Tensor:
        """(B, rows, cols, C) -> (B, rows, cols, C)."""
        x = x + self.attn(self.norm1(x), self.window_size)
        return x + self.mlp(self.norm2(x))


def into_windows(x: Tensor, window: int, filling: Tensor) -> Tensor:
    """(B, rows, cols, C) -> (B*windows, window, window, C), padded with `filling` (C,) at the bottom and right."""
    batch, rows, cols, dim = x.shape
    down, across = _windows(rows, window), _windows(cols, window)
    filled = filling.expand(batch, down * window, across * window, dim).clone()
    filled[:, :rows, :cols] = x
    windows = filled.reshape(batch * down, window, across, window, dim)
    return windows.transpose(1, 2).reshape(-1, window, window, dim)


def from_windows(windows: Tensor, rows: int, cols: int) -> Tensor:
    """(B*windows, window, window, C) -> (B, rows, cols, C); the inverse of `into_windows`."""
    window, dim = windows.shape[1], windows.shape[3]
    down, across = _windows(rows, window), _windows(cols, window)
    x = windows.reshape(-1, across, window, window, dim).transpose(1, 2)  # (B*down, window, across, ...)
    return x.reshape(-1, down * window, across * window, dim)[:, :rows, :cols]


def _windows(length: int, window: int) -> int:
    """How many windows cover an axis. Not the shorter -(-length // window): ONNX divides towards zero."""
    return (length + window - 1) // window


class ImageEncoderViT(nn.Module):
    """SAM's image encoder, with the sizes of ViT-B by default; fulfils `ImageEncoder`.

    Args:
        embed_dim, depth, num_heads: width, blocks and heads of the transformer.
        global_attn_indexes: blocks that attend to the whole grid; the others attend within windows.
        grid: side of the token grid that the positional tables were made for.
        out_chans: channels of the image embedding.
    """

    def __init__(
        self,
        embed_dim: int = 768,
        depth: int = 12,
        num_heads: int = 12,
        global_attn_indexes: tuple[int, ...] = (2, 5, 8, 11),
        window_size: int = 14,
        grid: int = 64,
        patch_size: int = 16,
        out_chans: int = 256,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        use_rel_pos: bool = True,
    ) -> None:
        super().__init__()
        self.grid = grid
        self.patch_size = patch_size
        self.intermediate_block = min(global_attn_indexes)
        self.recompute = False
        self.patch_embed = PatchEmbed(patch_size, embed_dim)
        self.pos_embed = nn.Parameter(torch.zeros(1, grid, grid, embed_dim))
        self.blocks = nn.ModuleList(
            Block(
                embed_dim,
                num_heads,
                grid,
                0 if index in global_attn_indexes else window_size,
                mlp_ratio,
                qkv_bias,
                use_rel_pos,
            )
            for index in range(depth)
        )
        self.neck = nn.Sequential(
            nn.Conv2d(embed_dim, out_chans, kernel_size=1, bias=False),
            LayerNorm2d(out_chans),
            nn.Conv2d(out_chans, out_chans, kernel_size=3, padding=1, bias=False),
            LayerNorm2d(out_chans),
        )

    @property
    def supports_recompute(self) -> bool:
        """Supported."""
        return True

    @property
    def parts(self) -> nn.ModuleList:
        """The transformer blocks."""
        return self.blocks

    def forward(self, pixels: Tensor, top: int | Tensor = 0, left: int | Tensor = 0) -> tuple[Tensor, Tensor]:
        """Encode images of one size whose first token is at (top, left) of the full grid.

        Args:
            pixels: (B, 3, 16*rows, 16*cols), normalised.

        Returns:
            Image embeddings (B, out_chans, rows, cols) and the intermediate map (B, embed_dim, rows, cols), which is
            the output of the first global block: the only one that SAM-HQ's head uses.

        Raises:
            ValueError: the image does not fit the grid.
        """
        return self.suffix(*self.prefix(pixels, 0, top, left), 0)

    def prefix(
        self, pixels: Tensor, stop: int, top: int | Tensor = 0, left: int | Tensor = 0
    ) -> tuple[Tensor, Tensor | None]:
        """The input (B, C, rows, cols) of block `stop`, and the intermediate map, None where it is computed later."""
        x = self.patch_embed(pixels)
        x = x + self._positions(x.shape[1], x.shape[2], top, left)
        return self._blocks(x, None, 0, stop)

    def _positions(self, rows: int, cols: int, top: int | Tensor, left: int | Tensor) -> Tensor:
        """The positional table (1, rows, cols, C) of the tokens from (top, left) on."""
        if isinstance(top, Tensor) or isinstance(left, Tensor):
            # In an exported graph the place is an input, which cannot be checked.
            down, across = (torch.arange(length, device=self.pos_embed.device) for length in (rows, cols))
            return self.pos_embed.index_select(1, down + top).index_select(2, across + left)
        if min(top, left) < 0 or top + rows > self.grid or left + cols > self.grid:
            raise ValueError(f"{rows}x{cols} tokens at ({top}, {left}) do not fit the {self.grid}x{self.grid} grid")
        return self.pos_embed[:, top : top + rows, left : left + cols]

    def suffix(self, tokens: Tensor, intermediate: Tensor | None, start: int) -> tuple[Tensor, Tensor]:
        """What `forward` returns, from what `prefix` returned for block `start`."""
        x = tokens.permute(0, 2, 3, 1).contiguous()
        tokens, intermediate = self._blocks(x, intermediate, start, len(self.blocks))
        features: Tensor = self.neck(tokens)
        return features, tokens if intermediate is None else intermediate

    def _blocks(self, x: Tensor, intermediate: Tensor | None, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        for index in range(start, stop):
            if index == self.intermediate_block + 1:
                intermediate = x.permute(0, 3, 1, 2)
            if self.recompute and torch.is_grad_enabled():
                x = checkpoint(self.blocks[index], x, use_reentrant=False)
            else:
                x = self.blocks[index](x)
        return x.permute(0, 3, 1, 2), intermediate
