"""The two-way transformer of Segment Anything's mask decoder (Kirillov et al., 2023)."""

from __future__ import annotations

from torch import Tensor, nn

from dentasam.model.cross_attention import Attention, OwnTokens
from dentasam.model.layers import MLPBlock


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
    ) -> tuple[Tensor, Tensor]:
        """tokens (P, n, width), image (P or 1, rows * cols, width), and what is added for their positions.

        `own` is what each object adds to an image that all share.
        """
        if self.skip_first_positions:
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            q = tokens + token_positions
            tokens = tokens + self.self_attn(q, q, tokens)
        tokens = self.norm1(tokens)

        k = image + image_positions
        tokens = self.norm2(tokens + self.cross_attn_token_to_image.read(tokens + token_positions, k, image, own))
        tokens = self.norm3(tokens + self.mlp(tokens))
        written = self.cross_attn_image_to_token.written(k, tokens + token_positions, tokens, own)
        image = self.norm4((image if own is None else own.added_to(image)) + written)
        return tokens, image


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
        self, image: Tensor, image_positions: Tensor, prompts: Tensor, own: OwnTokens | None = None
    ) -> tuple[Tensor, Tensor]:
        """image (P or 1, rows * cols, width), positions (1, rows * cols, width), prompts (P, n, width).

        `own` is what each object adds to an image that all share. Returns the tokens (P, n, width) and the updated
        image (P, rows * cols, width).
        """
        tokens = prompts
        for layer in self.layers:
            tokens, image = layer(tokens, image, prompts, image_positions, own)
            own = None
        attended = self.final_attn_token_to_image.read(tokens + prompts, image + image_positions, image)
        return self.norm_final_attn(tokens + attended), image
