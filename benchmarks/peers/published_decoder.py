"""The mask decoder as it was published, on our network's weights.

After `mask_decoder_hq.py` of sam-hq (Ke et al., NeurIPS 2023): all projections of the image for every object, all of
SAM's masks, both HQ convolutions on the whole grid, and the HQ features of the image made anew in each call.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dentasam.model.core.frame import Frame
from dentasam.model.core.layers import attention
from dentasam.model.core.prompt import Prompts
from dentasam.model.embedding import EncoderOutput
from dentasam.model.sam_hq import MaskPrediction, SamHQ

MASK_TOKENS = 4


def decode(
    model: SamHQ, output: EncoderOutput, frame: Frame, prompts: Prompts, hq: Tensor | None = None
) -> MaskPrediction:
    """Masks of P objects of one image, prompts of one layout; `hq` holds the HQ features where they are made once."""
    decoder: Any = model.mask_decoder
    encoder: Any = model.prompt_encoder
    sparse = encoder.sparse(prompts)
    objects = len(sparse)
    if prompts.logits is None:
        dense = encoder.no_mask_embed.weight[..., None, None].expand(objects, -1, frame.rows, frame.cols)
    else:
        dense = encoder.mask_downscaling(prompts.logits[:, None])
    own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight, decoder.hf_token.weight])
    tokens = torch.cat([own.expand(objects, -1, -1), sparse.to(own.dtype)], dim=1)
    image = torch.repeat_interleave(output.features, objects, dim=0) + dense
    grid = encoder.pe_layer.grid(frame.rows, frame.cols, frame.top, frame.left).to(image.dtype)
    positions = grid.flatten(1).T[None].expand(objects, -1, -1)
    tokens, image = two_way(decoder.transformer, image.flatten(2).transpose(1, 2), positions, tokens)

    upscaled = decoder.output_upscaling(image.transpose(1, 2).unflatten(2, (frame.rows, frame.cols)))
    if hq is None:
        hq = decoder.embedding_encoder(output.features) + decoder.compress_vit_feat(output.intermediate)
    upscaled_hq = decoder.embedding_maskfeature(upscaled) + hq.repeat(objects, 1, 1, 1)
    vectors = [mlp(tokens[:, 1 + index]) for index, mlp in enumerate(decoder.output_hypernetworks_mlps)]
    vectors.append(decoder.hf_mlp(tokens[:, 1 + MASK_TOKENS]))
    kernels = torch.stack(vectors, dim=1)  # (P, 5, 32)
    masks = (kernels[:, :MASK_TOKENS] @ upscaled.flatten(2)).unflatten(2, upscaled.shape[-2:])
    mask_hq = (kernels[:, MASK_TOKENS:] @ upscaled_hq.flatten(2)).unflatten(2, upscaled.shape[-2:])
    scores = decoder.iou_prediction_head(tokens[:, 0])
    return MaskPrediction(masks[:, 0] + mask_hq[:, 0], scores[:, 0])


def two_way(transformer: Any, image: Tensor, positions: Tensor, prompts: Tensor) -> tuple[Tensor, Tensor]:
    """The two-way transformer: tokens (P, n, 256) and the updated image (P, rows cols, 256)."""
    tokens = prompts
    for layer in transformer.layers:
        if layer.skip_first_positions:
            tokens = attend(layer.self_attn, tokens, tokens, tokens)
        else:
            q = tokens + prompts
            tokens = tokens + attend(layer.self_attn, q, q, tokens)
        tokens = layer.norm1(tokens)
        read = attend(layer.cross_attn_token_to_image, tokens + prompts, image + positions, image)
        tokens = layer.norm2(tokens + read)
        tokens = layer.norm3(tokens + layer.mlp(tokens))
        written = attend(layer.cross_attn_image_to_token, image + positions, tokens + prompts, tokens)
        image = layer.norm4(image + written)
    read = attend(transformer.final_attn_token_to_image, tokens + prompts, image + positions, image)
    return transformer.norm_final_attn(tokens + read), image


def attend(layer: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention with every side projected."""
    sides = zip((layer.q_proj, layer.k_proj, layer.v_proj), (q, k, v), strict=True)
    heads = (project(side).unflatten(2, (layer.num_heads, -1)).transpose(1, 2) for project, side in sides)
    return layer.out_proj(attention(*heads).transpose(1, 2).flatten(2))
