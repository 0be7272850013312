"""SAM-HQ: image encoder, prompt encoder and mask decoder, with one encode for all objects and all clicks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from dentasam.model.core.frame import Frame
from dentasam.model.core.prompt import Prompts
from dentasam.model.decoder.mask_decoder import CHOICES, DecoderState, MaskDecoderHQ, Output
from dentasam.model.decoder.prompt_encoder import PromptEncoder
from dentasam.model.decoder.sparse_upscaling import can_upscale_sparsely, upscale_sparsely
from dentasam.model.embedding import EncoderOutput, EncoderPrefix, ImageEmbedding
from dentasam.model.encoder.encoder_registry import ENCODERS
from dentasam.model.encoder.image_encoder import ImageEncoder


@dataclass(frozen=True)
class MaskPrediction:
    """Mask logits (P, 4 rows, 4 cols) and predicted IoU, `scores` (P,), of P objects."""

    logits: Tensor
    scores: Tensor


@dataclass(frozen=True)
class MaskChoices:
    """The three masks that an ambiguous prompt may mean, for P objects: a part, or the whole that it belongs to.

    logits: (P, 3, 4 rows, 4 cols). scores: (P, 3), the predicted IoU of each.
    """

    logits: Tensor
    scores: Tensor


class SamHQ(nn.Module):
    """The whole network, with the parameter names of the official checkpoints.

    intermediate_width: channels of the encoder's intermediate map, from which the HQ features are made.
    """

    runtime: Literal["torch"] = "torch"
    takes_windows = True

    def __init__(self, image_encoder: ImageEncoder, intermediate_width: int) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.prompt_encoder = PromptEncoder()
        self.mask_decoder = MaskDecoderHQ(vit_dim=intermediate_width)

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return self.mask_decoder.iou_token.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The type of the decoder's parameters, in which it takes embeddings."""
        return self.mask_decoder.iou_token.weight.dtype

    def encoder_output(self, pixels: Tensor, frame: Frame) -> EncoderOutput:
        """The image encoder alone on pixels (B, 3, 16 rows, 16 cols)."""
        return EncoderOutput(*self.image_encoder(pixels, top=frame.top, left=frame.left))

    def encoder_prefix(self, pixels: Tensor, frame: Frame, stop: int) -> EncoderPrefix:
        """The image encoder on pixels (B, 3, 16 rows, 16 cols), up to its block or stage `stop`."""
        return EncoderPrefix(*self.image_encoder.prefix(pixels, stop, frame.top, frame.left), stop)

    def encoder_rest(self, prefix: EncoderPrefix) -> EncoderOutput:
        """The output of the image encoder, from what `encoder_prefix` gave."""
        return EncoderOutput(*self.image_encoder.suffix(prefix.tokens, prefix.intermediate, prefix.stop))

    def prepare(self, output: EncoderOutput, frame: Frame) -> ImageEmbedding:
        """The image embedding, with the HQ features that the decoder computes from the image alone."""
        return ImageEmbedding(
            output.features, self.mask_decoder.hq_features(output.features, output.intermediate), frame
        )

    def encode(self, pixels: Tensor, frame: Frame) -> ImageEmbedding:
        """The embedding of pixels (B, 3, 16 rows, 16 cols) of B images with one frame, for all objects and clicks."""
        return self.prepare(self.encoder_output(pixels, frame), frame)

    @torch.no_grad()
    def with_projections(self, embedding: ImageEmbedding) -> ImageEmbedding:
        """The embedding with the decoder's projections of it, which do not depend on the prompts.

        For an embedding that is decoded more than once, click by click or chunk by chunk. Valid for the present
        weights and adapter, and for decoding without gradients.
        """
        if embedding.shared is not None or len(embedding.features) > 1:
            return embedding
        positions = self._positions(embedding.frame)
        return replace(embedding, shared=self.mask_decoder.projections(embedding.features, positions))

    def decode(
        self,
        embedding: ImageEmbedding,
        prompts: Prompts,
        multimask: bool = False,
        output: Output = "sam+hq",
        sparse_upscaling: bool = False,
        budget: int | None = None,
    ) -> MaskPrediction:
        """Masks of all objects, each with its own clicks, box and previous logits.

        P objects in one call give the masks of P calls: objects with different prompt layouts are decoded in groups.

        multimask: choose the best scored of SAM's three masks for an ambiguous prompt.
        sparse_upscaling: compute the logits around each object and estimate them elsewhere (`upscale_sparsely`).
            Without effect for the HQ mask alone, where gradients are recorded, while adapters on the decoder's
            convolutions are more than a weight, and on CUDA, where pieces of new shapes cost more than they save.
        budget: memory in bytes for the objects that are decoded at a time; None for all at once.
        """
        if len(prompts) == 0:
            empty = embedding.features.new_zeros(0, *embedding.frame.logits)
            return MaskPrediction(empty, empty.new_zeros(0))
        groups = _groups(embedding, prompts, budget)
        sparse = sparse_upscaling and output != "hq" and not torch.is_grad_enabled()
        sparse = sparse and self.device.type != "cuda" and can_upscale_sparsely(self.mask_decoder)
        if len(groups) == 1:
            return self._decode_group(embedding, prompts, multimask, output, sparse)
        if not torch.is_grad_enabled() and prompts.image is None:
            embedding = self.with_projections(embedding)
        parts = [self._decode_group(embedding, prompts[rows], multimask, output, sparse) for rows in groups]
        order = torch.cat(groups).argsort()
        return MaskPrediction(
            torch.cat([part.logits for part in parts])[order],
            torch.cat([part.scores for part in parts])[order],
        )

    def decode_choices(self, embedding: ImageEmbedding, prompts: Prompts, budget: int | None = None) -> MaskChoices:
        """All three of SAM's masks for an ambiguous prompt, of which `decode` with `multimask` gives the best scored.

        P objects in one call give the masks of P calls. budget: as in `decode`.
        """
        if len(prompts) == 0:
            empty = embedding.features.new_zeros(0, CHOICES, *embedding.frame.logits)
            return MaskChoices(empty, empty.new_zeros(0, CHOICES))
        groups = _groups(embedding, prompts, budget)
        logits, scores = [], []
        for rows in groups:
            state = self.attend(embedding, prompts[rows] if len(groups) > 1 else prompts)
            logits.append(self.mask_decoder.choices(state, embedding.hq))
            scores.append(state.choice_scores)
        order = torch.cat(groups).argsort()
        return MaskChoices(torch.cat(logits)[order], torch.cat(scores)[order])

    def attend(self, embedding: ImageEmbedding, prompts: Prompts, multimask: bool = False) -> DecoderState:
        """The first half of `decode`, for objects with one prompt layout; `mask_decoder.masks` is the other half."""
        shared = embedding.shared
        return self.mask_decoder(
            embedding.features,
            self._positions(embedding.frame) if shared is None else shared.positions,
            self.prompt_encoder.sparse(prompts),
            self.prompt_encoder.dense(prompts),
            image=prompts.image,
            multimask=multimask,
            shared=shared,
        )

    def scores(self, embedding: ImageEmbedding, prompts: Prompts) -> Tensor:
        """The predicted IoU (P,) of objects with one prompt layout, without upscaling their masks."""
        return self.attend(embedding, prompts).score

    def _positions(self, frame: Frame) -> Tensor:
        """The positional encoding (1, rows cols, 256) of a frame's tokens."""
        grid = self.prompt_encoder.pe_layer.grid(frame.rows, frame.cols, frame.top, frame.left)
        return grid.flatten(1).T.contiguous()[None]

    def _decode_group(
        self, embedding: ImageEmbedding, prompts: Prompts, multimask: bool, output: Output, sparse: bool
    ) -> MaskPrediction:
        state = self.attend(embedding, prompts, multimask)
        if sparse:
            masks = upscale_sparsely(self.mask_decoder, state, embedding.hq, prompts.logits, output)
        else:
            masks = self.mask_decoder.masks(state, embedding.hq, output=output)
        return MaskPrediction(masks, state.score)


def _groups(embedding: ImageEmbedding, prompts: Prompts, budget: int | None) -> list[Tensor]:
    """Indices of the objects that are decoded together: of one prompt layout, and no more than the memory allows."""
    most = len(prompts) if budget is None else max(1, budget // object_bytes(embedding))
    return [part for rows in prompts.groups() for part in rows.tensor_split(-(-len(rows) // most))]


def object_bytes(embedding: ImageEmbedding) -> int:
    """Estimated bytes per object at the peak of a decode: its tokens, and 96 channels of its upscaled image."""
    rows, cols = embedding.features.shape[-2:]
    tokens = 6 * embedding.features.shape[1]
    return int(rows * cols * (tokens + 16 * 96) * embedding.features.element_size())


def build_sam_hq(kind: str) -> SamHQ:
    """A SamHQ with an official encoder, one of `ENCODERS`, and random weights."""
    encoder = ENCODERS[kind]
    return SamHQ(encoder.build(), encoder.intermediate_width)
