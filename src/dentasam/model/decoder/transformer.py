"""The two-way transformer of Segment Anything's mask decoder (Kirillov et al., 2023)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dentasam.model.core.effective_weights import effective_weights, is_affine
from dentasam.model.core.layers import MLPBlock
from dentasam.model.decoder.cross_attention import Attention, OwnTokens


@dataclass(frozen=True)
class SharedProjections:
    """The first block's projections (1, m, inner) of an image embedding that all objects share.

    keys, values: for the cross attention from tokens to the image. queries: for the one from the image to tokens.
    positions: (1, m, width), the positional encoding of the image's tokens.
    """

    keys: Tensor
    values: Tensor
    queries: Tensor
    positions: Tensor

    def to(self, device: torch.device | str | None, dtype: torch.dtype | None) -> SharedProjections:
        """The same projections on another device or in another type."""
        return SharedProjections(
            self.keys.to(device, dtype),
            self.values.to(device, dtype),
            self.queries.to(device, dtype),
            self.positions.to(device, dtype),
        )


class TwoWayAttentionBlock(nn.Module):
    """Tokens attend to themselves, then to the image; the image then attends to the tokens."""

    def __init__(self, width: int, heads: int, hidden: int, skip_first_positions: bool) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.norm1 = nn.LayerNorm(width)
        self.cross_attn_token_to_image = Attention(width, heads, downsample=2)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = MLPBlock(width, hidden, nn.ReLU)
        self.norm3 = nn.LayerNorm(width)
        self.norm4 = nn.LayerNorm(width)
        self.cross_attn_image_to_token = Attention(width, heads, downsample=2)
        self.skip_first_positions = skip_first_positions

    def forward(
        self,
        tokens: Tensor,
        image: Tensor,
        token_positions: Tensor,
        image_positions: Tensor,
        own: OwnTokens | None = None,
        shared: SharedProjections | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The tokens (P, n, width) and the image (P, m, width) after this block.

        image: (P or 1, m, width), m = rows * cols; overwritten where no gradients are recorded.
        token_positions, image_positions: the positional encodings of both.
        own: what each object adds to an image that all share. shared: that image's projections; None computes them.
        """
        if self.skip_first_positions:
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            q = tokens + token_positions
            tokens = tokens + self.self_attn(q, q, tokens)
        tokens = self.norm1(tokens)

        reads, writes = self.cross_attn_token_to_image, self.cross_attn_image_to_token
        queries = tokens + token_positions
        if len(image) == 1 and shared is None and (own is not None or len(tokens) > 1):
            shared = self.projections(image, image_positions)
        if shared is not None:
            tokens = self._answered(tokens, reads.read_shared(queries, shared.keys, shared.values, own))
            image = writes.write_shared(image, shared.queries, tokens + token_positions, tokens, own)
        else:
            image = (image if own is None else own.added_to(image)).expand(len(tokens), -1, -1).contiguous()
            keys = image + image_positions
            tokens = self._answered(tokens, reads.read(queries, keys, image))
            image = writes.write(image, keys, tokens + token_positions, tokens)
        return tokens, self.norm4(image)

    def _answered(self, tokens: Tensor, read: Tensor) -> Tensor:
        tokens = self.norm2(tokens + read)
        answered: Tensor = self.norm3(tokens + self.mlp(tokens))
        return answered

    def projections(self, image: Tensor, image_positions: Tensor) -> SharedProjections | None:
        """The projections of a shared image (1, m, width); None where adapters on them are more than a weight."""
        reads, writes = self.cross_attn_token_to_image, self.cross_attn_image_to_token
        layers = (reads.k_proj, reads.v_proj, writes.q_proj, writes.out_proj)
        if not all(is_affine(layer) for layer in layers):
            return None
        placed = image + image_positions
        return SharedProjections(reads.k_proj(placed), reads.v_proj(image), writes.q_proj(placed), image_positions)

    def shifted(self, shared: SharedProjections, by: Tensor) -> SharedProjections:
        """The projections of the same image with a vector (width,) added to every token."""
        reads, writes = self.cross_attn_token_to_image, self.cross_attn_image_to_token

        def moved(side: Tensor, layer: nn.Module) -> Tensor:
            projection = effective_weights(layer)
            assert projection is not None
            return side + projection.weight @ by

        return SharedProjections(
            moved(shared.keys, reads.k_proj),
            moved(shared.values, reads.v_proj),
            moved(shared.queries, writes.q_proj),
            shared.positions,
        )


class TwoWayTransformer(nn.Module):
    """`depth` two-way blocks and a last attention from tokens to the image."""

    def __init__(self, depth: int = 2, width: int = 256, heads: int = 8, hidden: int = 2048) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayAttentionBlock(width, heads, hidden, skip_first_positions=index == 0) for index in range(depth)
        )
        self.final_attn_token_to_image = Attention(width, heads, downsample=2)
        self.norm_final_attn = nn.LayerNorm(width)

    def forward(
        self,
        image: Tensor,
        image_positions: Tensor,
        prompts: Tensor,
        own: OwnTokens | None = None,
        shared: SharedProjections | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The tokens (P, n, width) and the image (P, m, width) after all blocks, m = rows * cols.

        image: (P or 1, m, width). image_positions: (1, m, width). prompts: (P, n, width), the output tokens followed
        by the sparse prompt embeddings.
        own: what each object adds to an image that all share. shared: that image's projections in the first block.
        """
        tokens = prompts
        for layer in self.layers:
            tokens, image = layer(tokens, image, prompts, image_positions, own, shared)
            own = shared = None
        read = self.final_attn_token_to_image.read(tokens + prompts, image + image_positions, image)
        return self.norm_final_attn(tokens + read), image
