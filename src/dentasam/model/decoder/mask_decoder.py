"""The mask decoder with the HQ token, after `mask_decoder_hq.py` of sam-hq (Ke et al., NeurIPS 2023).

    tokens:  iou | 4 mask tokens | HQ token | prompts        image: features + dense prompt
                          two-way transformer
    SAM mask  =  mask token's vector . upscaled image                                      (32 channels, 4 per token)
    HQ mask   =  HQ token's vector . (two convolutions of the upscaled image + HQ features of the image)

The HQ features depend on the image alone and are computed once (`hq_features`). The last HQ convolution is linear
and is followed by a dot product with one vector per object, so the two are folded into one convolution with a
single output channel per object: the same result without the 32 channels in between.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dentasam.model.core.effective_weights import effective_weights
from dentasam.model.core.layers import LayerNorm2d
from dentasam.model.decoder.prompt_encoder import DensePrompt
from dentasam.model.decoder.token_crops import TokenCrops
from dentasam.model.decoder.transformer import SharedProjections, TwoWayAttentionBlock, TwoWayTransformer

Output = Literal["sam+hq", "hq", "sam"]
# The first makes the single mask, the others the masks that an ambiguous prompt may mean.
MASK_TOKENS = 4
CHOICES = MASK_TOKENS - 1


@dataclass(frozen=True)
class DecoderState:
    """The hidden state of P objects after the two-way transformer, from which the masks are upscaled.

    source: (P, 256, rows, cols), each object's image embedding after the transformer.
    sam_vector, hq_vector: (P, 32), what the hypernetworks make of the mask token and the HQ token.
    score: (P,) predicted IoU.
    choice_vectors, choice_scores: (P, 3, 32) and (P, 3), the same of SAM's three masks for an ambiguous prompt.
    image: (P,), which image each object belongs to; None where all belong to the first.
    """

    source: Tensor
    sam_vector: Tensor
    hq_vector: Tensor
    score: Tensor
    choice_vectors: Tensor
    choice_scores: Tensor
    image: Tensor | None


class MLP(nn.Module):
    """Linear layers with ReLU between them."""

    def __init__(self, width: int, hidden: int, out: int, depth: int) -> None:
        super().__init__()
        widths = [width, *[hidden] * (depth - 1), out]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


class MaskDecoderHQ(nn.Module):
    """Masks of P objects from the embeddings of their images and of their prompts.

    vit_dim: channels of the encoder's intermediate map, from which the HQ features are made.
    """

    def __init__(self, vit_dim: int, width: int = 256, transformer: TwoWayTransformer | None = None) -> None:
        super().__init__()
        self.transformer = transformer or TwoWayTransformer(width=width)
        self.iou_token = nn.Embedding(1, width)
        self.mask_tokens = nn.Embedding(MASK_TOKENS, width)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(width, width // 4, kernel_size=2, stride=2),
            LayerNorm2d(width // 4),
            nn.GELU(),
            nn.ConvTranspose2d(width // 4, width // 8, kernel_size=2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(MLP(width, width, width // 8, 3) for _ in range(MASK_TOKENS))
        self.iou_prediction_head = MLP(width, 256, MASK_TOKENS, 3)

        self.hf_token = nn.Embedding(1, width)
        self.hf_mlp = MLP(width, width, width // 8, 3)
        self.compress_vit_feat = nn.Sequential(
            nn.ConvTranspose2d(vit_dim, width, kernel_size=2, stride=2),
            LayerNorm2d(width),
            nn.GELU(),
            nn.ConvTranspose2d(width, width // 8, kernel_size=2, stride=2),
        )
        self.embedding_encoder = nn.Sequential(
            nn.ConvTranspose2d(width, width // 4, kernel_size=2, stride=2),
            LayerNorm2d(width // 4),
            nn.GELU(),
            nn.ConvTranspose2d(width // 4, width // 8, kernel_size=2, stride=2),
        )
        self.embedding_maskfeature = nn.Sequential(
            nn.Conv2d(width // 8, width // 4, kernel_size=3, padding=1),
            LayerNorm2d(width // 4),
            nn.GELU(),
            nn.Conv2d(width // 4, width // 8, kernel_size=3, padding=1),
        )

    def hq_features(self, features: Tensor, intermediate: Tensor) -> Tensor:
        """The HQ features (B, 32, 4 rows, 4 cols) of images, the same for every object and click.

        features: (B, 256, rows, cols). intermediate: (B, vit_dim, rows, cols).
        """
        return self.embedding_encoder(features) + self.compress_vit_feat(intermediate)

    @property
    def _first_block(self) -> TwoWayAttentionBlock:
        block = self.transformer.layers[0]
        assert isinstance(block, TwoWayAttentionBlock)
        return block

    def projections(self, features: Tensor, positions: Tensor) -> SharedProjections | None:
        """The first block's projections of an image (1, 256, rows, cols); None where adapters do not allow them."""
        return self._first_block.projections(features.flatten(2).transpose(1, 2), positions)

    def forward(
        self,
        features: Tensor,
        positions: Tensor,
        sparse: Tensor,
        dense: DensePrompt,
        image: Tensor | None = None,
        multimask: bool = False,
        shared: SharedProjections | None = None,
    ) -> DecoderState:
        """The two-way transformer on P objects.

        features: (B, 256, rows, cols), the image embeddings. positions: (1, rows cols, 256), of their tokens.
        sparse: (P, n, 256), the sparse prompt embeddings. dense: the dense ones.
        image: (P,), which image each object belongs to; None where all belong to the first.
        multimask: choose the best scored of SAM's three masks for an ambiguous prompt instead of its single mask.
        shared: what `projections` gave, where all objects belong to one image; computed here if None.
        """
        objects = len(sparse)
        rows, cols = features.shape[-2:]
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight, self.hf_token.weight])
        tokens = torch.cat([own.expand(objects, -1, -1), sparse.to(own.dtype)], dim=1)
        image_tokens = (features + dense.shared[:, None, None]).flatten(2).transpose(1, 2)  # (B, rows cols, 256)
        previous = dense.own
        if image is not None:
            image_tokens = image_tokens[image] if previous is None else previous.added_to(image_tokens[image])
            previous = shared = None
        if shared is not None:
            shared = self._first_block.shifted(shared, dense.shared)
        tokens, source = self.transformer(image_tokens, positions, tokens, previous, shared)
        return self.state(tokens, source.transpose(1, 2).unflatten(2, (rows, cols)), image, multimask)

    def state(self, tokens: Tensor, source: Tensor, image: Tensor | None, multimask: bool = False) -> DecoderState:
        """What the heads make of the transformer's tokens (P, 6 + n, 256) and images (P, 256, rows, cols)."""
        scores = self.iou_prediction_head(tokens[:, 0])
        vector, *choices = (mlp(tokens[:, 1 + index]) for index, mlp in enumerate(self.output_hypernetworks_mlps))
        vectors, score = torch.stack(choices, dim=1), scores[:, 0]
        if multimask:
            score, best = scores[:, 1:].max(dim=1)
            vector = vectors[torch.arange(len(best), device=best.device), best]
        return DecoderState(
            source, vector, self.hf_mlp(tokens[:, 1 + MASK_TOKENS]), score, vectors, scores[:, 1:], image
        )

    def masks(
        self, state: DecoderState, hq: Tensor, crops: TokenCrops | None = None, output: Output = "sam+hq"
    ) -> Tensor:
        """Mask logits (P, 4 rows, 4 cols), or those of each object's crop, (P, 4 crop rows, 4 crop cols).

        hq: (B, 32, 4 rows, 4 cols) from `hq_features`. In a crop, the logits at least one token from its edge, or at
        the image's border, equal those of the whole map: upscaling stays within a token, and the two HQ convolutions
        reach two logits, which is half a token.
        """
        upscaled = self.output_upscaling(state.source if crops is None else crops.cut(state.source))
        mask = torch.zeros((), device=upscaled.device)
        if output != "hq":
            mask = mask + _dot(state.sam_vector, upscaled)
        return mask if output == "sam" else mask + self._hq_part(state, hq, upscaled, crops)

    def choices(self, state: DecoderState, hq: Tensor, crops: TokenCrops | None = None) -> Tensor:
        """The three masks that an ambiguous prompt may mean, SAM's and HQ's together: logits (P, 3, 4 rows, 4 cols).

        As `masks` with `multimask` gives the best scored of them; they share the upscaled image and the HQ part.
        """
        upscaled = self.output_upscaling(state.source if crops is None else crops.cut(state.source))
        vectors = state.choice_vectors.to(upscaled.dtype)
        masks = torch.bmm(vectors, upscaled.flatten(2)).unflatten(2, upscaled.shape[-2:])
        return masks + self._hq_part(state, hq, upscaled, crops)[:, None]

    def _hq_part(self, state: DecoderState, hq: Tensor, upscaled: Tensor, crops: TokenCrops | None) -> Tensor:
        """What the HQ token adds to every mask of an object, (P, h, w)."""
        vector = state.hq_vector
        if crops is None:
            share = _image_share(vector, hq, state.image)
        else:
            share = _dot(vector, crops.cut_shared(hq, state.image, scale=4))
        return self._hq_mask(vector, upscaled) + share

    def _hq_mask(self, vector: Tensor, upscaled: Tensor) -> Tensor:
        """The HQ token's vectors (P, 32) against the HQ convolutions of the upscaled image, (P, h, w)."""
        first, norm, activation, last = self.embedding_maskfeature
        hidden = activation(norm(first(upscaled)))
        affine = effective_weights(last)
        if affine is None:
            return _dot(vector, last(hidden))
        weight, bias = affine
        # (P, 32) x (32, 64 * 9) -> one 3 x 3 kernel per object over 64 channels, flipped because fold scatters
        kernel = (vector @ weight.flip(2, 3).flatten(1).to(vector.dtype)).unflatten(1, (-1, 9))
        taps = torch.bmm(kernel.transpose(1, 2).to(hidden.dtype), hidden.flatten(2))  # (P, 9, h w)
        folded = F.fold(taps, hidden.shape[-2:], kernel_size=3, padding=1)[:, 0]
        return folded + (vector @ bias.to(vector.dtype))[:, None, None]


def _image_share(vector: Tensor, hq: Tensor, image: Tensor | None) -> Tensor:
    """(P, 32) against the HQ features of each object's image: (P, 4 rows, 4 cols)."""
    flat = hq.flatten(2).to(vector.dtype)
    if image is None:
        share = vector @ flat[0]
    elif torch.compiler.is_compiling():
        # A graph cannot branch on the images; B is one, or as many as there are windows, which are small.
        share = (vector @ flat)[image, torch.arange(image.shape[0], device=image.device)]
    elif hq.device.type != "cpu":
        share = torch.bmm(vector[:, None], flat[image])[:, 0]  # copies, but without a device synchronisation
    else:
        # all objects against all images would cost B times the product, a gather a copy of 32 maps per object
        parts = [vector[image == index] @ flat[index] for index in range(len(flat))]
        order = torch.cat([torch.nonzero(image == index)[:, 0] for index in range(len(flat))]).argsort()
        share = torch.cat(parts)[order]
    return share.unflatten(1, hq.shape[-2:])


def _dot(vector: Tensor, maps: Tensor) -> Tensor:
    """(P, C) against (P, C, h, w): (P, h, w)."""
    return torch.bmm(vector[:, None].to(maps.dtype), maps.flatten(2))[:, 0].unflatten(1, maps.shape[-2:])
