"""The two graphs that are exported to ONNX: what depends on the image alone, and what depends on prompts.

    encoder    pixels, place -> features, HQ features              once per image or object window
    decoder    features, HQ features, place, prompts -> logits and predicted IoU: the mask, and the three of an
               ambiguous prompt

The decoder's two-way transformer is written here a second time, as it was published: the one that training and the
torch runtime use branches on the content of its tensors (which objects have a previous mask, what they share), which
a graph for any number of objects cannot do. A test holds that both give the same masks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from dentasam.model.core.frame import LONGEST
from dentasam.model.decoder.cross_attention import Attention
from dentasam.model.decoder.transformer import TwoWayAttentionBlock
from dentasam.model.sam_hq import SamHQ

# The labels of points in the decoder's graph: 1 and 0 for clicks and, as in Segment Anything's own export, 2 and 3
# for the corners of a box, and -1 for a point that replaces the box of objects without one.
FIRST_CORNER, SECOND_CORNER, NO_BOX = 2, 3, -1


class EncoderGraph(nn.Module):
    """pixels (B, 3, 16 rows, 16 cols) to features (B, 256, rows, cols) and HQ features (B, 32, 4 rows, 4 cols).

    place: (2,) row and column of the first token in the 64 x 64 grid: 0, 0 for whole images.
    """

    def __init__(self, model: SamHQ) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        features, intermediate = self.model.image_encoder(pixels, place[0], place[1])
        return features, self.model.mask_decoder.hq_features(features, intermediate)


class DecoderGraph(nn.Module):
    """Mask logits (P, 4 rows, 4 cols) and predicted IoU (P,) of P objects, and choices (P, 3, …) with theirs (P, 3).

    features, hq, place: what the encoder gave for B images, and where they are in the 64 x 64 grid.
    image: (P,) which of the images each object belongs to.
    points: (P, n, 2) x, y in frame pixels. labels: (P, n), see above. Each object's clicks, then the two corners of
    its box or one point with the label -1.
    previous: (P, 4 rows, 4 cols) logits. has_previous: (P,) bool, False where `previous` is to be ignored.
    """

    def __init__(self, model: SamHQ) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        features: Tensor,
        hq: Tensor,
        place: Tensor,
        image: Tensor,
        points: Tensor,
        labels: Tensor,
        previous: Tensor,
        has_previous: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        prompt_encoder, decoder = self.model.prompt_encoder, self.model.mask_decoder
        rows, cols = features.shape[2:]
        grid = prompt_encoder.pe_layer.grid(rows, cols, place[0], place[1])
        positions = grid.flatten(1).T[None]  # (1, rows cols, 256)
        none = prompt_encoder.no_mask_embed.weight[..., None, None]
        downscaled = prompt_encoder.mask_downscaling(previous[:, None])
        dense = torch.where(has_previous[:, None, None, None], downscaled, none)
        seen = (features[image] + dense).flatten(2).transpose(1, 2)  # (P, rows cols, 256)

        own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight, decoder.hf_token.weight])
        prompts = torch.cat([own.expand(points.shape[0], -1, -1), self._sparse(points, labels)], dim=1)
        tokens = prompts
        transformer = decoder.transformer
        for layer in cast(list[TwoWayAttentionBlock], transformer.layers):
            if layer.skip_first_positions:
                tokens = _attend(layer.self_attn, tokens, tokens, tokens)
            else:
                query = tokens + prompts
                tokens = tokens + _attend(layer.self_attn, query, query, tokens)
            tokens = layer.norm1(tokens)
            placed = seen + positions
            read = _attend(layer.cross_attn_token_to_image, tokens + prompts, placed, seen)
            tokens = layer.norm2(tokens + read)
            tokens = layer.norm3(tokens + layer.mlp(tokens))
            seen = layer.norm4(seen + _attend(layer.cross_attn_image_to_token, placed, tokens + prompts, tokens))
        last = transformer.final_attn_token_to_image
        tokens = transformer.norm_final_attn(tokens + _attend(last, tokens + prompts, seen + positions, seen))

        state = decoder.state(tokens, seen.transpose(1, 2).unflatten(2, (rows, cols)), image)
        # The single mask as one more choice: all share what is upscaled.
        vectors = torch.cat([state.sam_vector[:, None], state.choice_vectors], dim=1)
        masks = decoder.choices(replace(state, choice_vectors=vectors), hq)
        return masks[:, 0], state.score, masks[:, 1:], state.choice_scores

    def _sparse(self, points: Tensor, labels: Tensor) -> Tensor:
        """Sparse prompt embeddings (P, n, 256): the label's vector, plus the positional encoding unless it is -1."""
        encoder = self.model.prompt_encoder
        of_points = [role.weight for role in cast(list[nn.Embedding], encoder.point_embeddings)]
        roles = torch.cat([encoder.not_a_point_embed.weight, *of_points])
        placed = encoder.pe_layer.encode((points + 0.5) / LONGEST) * (labels != NO_BOX)[..., None]
        return roles[labels + 1] + placed


def _attend(attention: Attention, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Multi-head attention with the layer's weights, (P, n, width) on (P, m, width)."""
    heads = attention.num_heads
    q, k, v = (
        project(side).unflatten(2, (heads, -1)).transpose(1, 2)
        for project, side in ((attention.q_proj, q), (attention.k_proj, k), (attention.v_proj, v))
    )
    attended = scaled_dot_product_attention(q, k, v)
    return attention.out_proj(attended.transpose(1, 2).flatten(2))
