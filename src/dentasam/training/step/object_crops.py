"""The objective on crops of tokens, so that its backward does not upscale the whole image for each object.

An object fills about 1 % of a panoramic, yet upscaling and the HQ convolutions on the whole grid take most of a
click's backward. The whole mask is therefore found without a graph (`masks_without_graph`), and the
gradient runs through two crops an object: its neighbourhood, which is exact, and one elsewhere, either where the
mask is most wrongly positive or at random, which stands for the mean over the rest of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dentasam.model.core.frame import LOGIT_STRIDE, Frame
from dentasam.model.decoder.mask_decoder import DecoderState
from dentasam.model.decoder.sparse_upscaling import can_upscale_sparsely, upscale_sparsely
from dentasam.model.decoder.token_crops import TokenCrops
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.sam_hq import SamHQ
from dentasam.prompts.tensor_correction_clicks import on_device
from dentasam.training.step.loss import (
    Objective,
    at_least_single,
    hard_iou,
    mean_where,
    neighbourhood,
    total,
)

HALO = 1


@dataclass(frozen=True)
class ObjectCrops:
    """Near crops of P objects, and what is the same for all clicks on them.

    near: (P, h, w) bool, the neighbourhoods at logit resolution. coverage: (P, h, w).
    """

    frame: Frame
    crops: TokenCrops
    near: Tensor
    coverage: Tensor

    @classmethod
    def around(cls, coverage: Tensor, frame: Frame) -> ObjectCrops:
        """Crops of one size that hold each object's neighbourhood and a halo of one token."""
        near = neighbourhood(coverage)
        top, rows = _token_spans(near.any(dim=2).cpu().numpy(), frame.rows)
        left, cols = _token_spans(near.any(dim=1).cpu().numpy(), frame.cols)
        return cls(frame, TokenCrops(top, left, rows, cols), near, coverage)

    @property
    def share(self) -> float:
        """Tokens in an object's two crops as a share of the grid; near 1 crops save nothing."""
        return 2 * self.crops.rows * self.crops.cols / (self.frame.rows * self.frame.cols)

    def at(self, rows: Sequence[int]) -> ObjectCrops:
        """The crops of some of the objects, in the size of all of them."""
        placed = self.crops
        index = torch.tensor(list(rows), device=self.near.device)
        top, left = cast(list[int], placed.top), cast(list[int], placed.left)  # see `around`
        return ObjectCrops(
            self.frame,
            replace(placed, top=[top[row] for row in rows], left=[left[row] for row in rows]),
            self.near[index],
            self.coverage[index],
        )

    def elsewhere(self, logits: Tensor, draws: Tensor) -> TokenCrops:
        """A crop per object around its highest logit outside the neighbourhood, or at random, by equal chance.

        draws: (2, P) float64 in 0..1, the chance and the place. Where clicks are computed on the device, the crops'
        places stay there too.
        """
        frame, crops = self.frame, self.crops
        highest = logits.masked_fill(self.near, -torch.inf).flatten(1).argmax(dim=1)
        width = frame.cols * LOGIT_STRIDE
        anywhere = (draws[1] * (width * frame.rows * LOGIT_STRIDE)).long()
        centre = torch.where(draws[0] < 0.5, highest, anywhere)
        row, column = centre // (width * LOGIT_STRIDE), centre % width // LOGIT_STRIDE
        top = (row - crops.rows // 2).clamp(0, frame.rows - crops.rows)
        left = (column - crops.cols // 2).clamp(0, frame.cols - crops.cols)
        if on_device(logits.device):
            return TokenCrops(top, left, crops.rows, crops.cols)
        return TokenCrops(top.tolist(), left.tolist(), crops.rows, crops.cols)

    def losses(
        self,
        model: SamHQ,
        embedding: ImageEmbedding,
        state: DecoderState,
        logits: Tensor,
        objective: Objective,
        draws: Tensor,
    ) -> Tensor:
        """Loss of each object, (P,), with its graph through the two crops alone.

        logits: (P, h, w), the whole masks without a graph. draws: (2, P), for `elsewhere`.
        """
        inside = self._logits(model, embedding, state, self.crops)
        coverage, near = self._cut(self.coverage, self.crops), self._cut(self.near, self.crops)
        probability = inside.sigmoid() * near
        entropy = F.binary_cross_entropy_with_logits(inside, coverage, reduction="none")
        far = self.elsewhere(logits, draws)
        # nothing is covered outside the neighbourhood: the entropy there is the softplus of the logit
        surplus = F.softplus(self._logits(model, embedding, state, far))
        counted = ~self._cut(self.near, far) & self.core(far)
        return objective.total(
            total(probability * coverage),
            total(probability) + total(logits.sigmoid() * ~self.near),
            total(self.coverage),
            mean_where(entropy, near) + mean_where(surplus, counted),
            at_least_single(state.score),
            hard_iou(logits, self.coverage),
        )

    def core(self, crops: TokenCrops) -> Tensor:
        """Where a crop's logits are those of the whole map, (P, h, w) bool: all but its halo."""
        device = self.near.device
        down = _inner(torch.as_tensor(crops.top, device=device), crops.rows, self.frame.rows)
        across = _inner(torch.as_tensor(crops.left, device=device), crops.cols, self.frame.cols)
        return down[:, :, None] & across[:, None, :]

    def _logits(self, model: SamHQ, embedding: ImageEmbedding, state: DecoderState, crops: TokenCrops) -> Tensor:
        return at_least_single(model.mask_decoder.masks(state, embedding.hq, crops))

    def _cut(self, maps: Tensor, crops: TokenCrops) -> Tensor:
        return crops.finer(LOGIT_STRIDE).cut(maps[:, None])[:, 0]


@torch.no_grad()
def masks_without_graph(
    model: SamHQ, embedding: ImageEmbedding, state: DecoderState, previous: Tensor | None
) -> Tensor:
    """The whole masks (P, h, w) without a graph, which are fed back and clicked on.

    On a CPU they are exact where they can be positive and estimates elsewhere (`upscale_sparsely`). On a GPU they are
    computed whole, without the device synchronisations of that. previous: the masks that were fed back, or None.
    """
    decoder = model.mask_decoder
    if not on_device(state.source.device) and can_upscale_sparsely(decoder):
        return upscale_sparsely(decoder, state, embedding.hq, previous)
    return decoder.masks(state, embedding.hq)


def _token_spans(covered: np.ndarray, tokens: int) -> tuple[list[int], int]:
    """First token and common length of crops that hold each row's covered logits and the halo."""
    first = covered.argmax(axis=1) // LOGIT_STRIDE - HALO
    last = (covered.shape[1] - 1 - covered[:, ::-1].argmax(axis=1)) // LOGIT_STRIDE + HALO
    first, last = np.maximum(first, 0), np.minimum(last, tokens - 1)
    length = int((last - first + 1).max())
    return np.minimum(first, tokens - length).tolist(), length


def _inner(starts: Tensor, length: int, tokens: int) -> Tensor:
    """Which logits along one axis of each crop lie inside its halo, (P, 4 length) bool."""
    place = torch.arange(length * LOGIT_STRIDE, device=starts.device)
    start, halo = starts[:, None], HALO * LOGIT_STRIDE
    low = halo * (start != 0)
    high = length * LOGIT_STRIDE - halo * (start + length != tokens)
    return (place >= low) & (place < high)
