"""The loss on windows of the token grid, so that its backward pass does not upscale the whole image for each object.

An object fills about 1 % of a panoramic, yet upscaling and the HQ convolutions on the whole grid take most of the
time of a click's backward pass. The whole mask is therefore computed without a graph (`whole_masks`), and the
gradient goes through two windows for each object:

    near        the object's neighbourhood, where the loss and its gradient are exact
    elsewhere   by equal chance around the highest logit outside the neighbourhood, or anywhere; the mean of its
                cross-entropy stands for the mean over the rest of the image

What the Dice loss counts outside the neighbourhood has its exact value, and no gradient. The terms that ask the mask
to follow the clicks have their own small pieces of the grid around the clicks, where value and gradient are exact.
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
from dentasam.training.step.click_terms import (
    REGION_REACH,
    Clicked,
    ClickTerms,
    click_term,
    logits_at,
    region_term,
)
from dentasam.training.step.loss import (
    MaskLoss,
    area,
    at_least_single,
    hard_iou,
    mean_where,
    neighbourhood,
)

# The outermost tokens of a window, whose logits depend on tokens outside it.
HALO = 1
# Tokens on each side of a click's own token that hold what is read at the click, and its region of the loss.
_AT_CLICK, _REGION = 1, round(REGION_REACH) // LOGIT_STRIDE


@dataclass(frozen=True)
class LossWindows:
    """The near windows of P objects, as crops of the token grid, and what is the same for all of their clicks.

    windows: one for each object, all of one size. near: (P, h, w) bool, the neighbourhoods at logit resolution.
    coverage: (P, h, w).
    """

    frame: Frame
    windows: TokenCrops
    near: Tensor
    coverage: Tensor

    @classmethod
    def around(cls, coverage: Tensor, frame: Frame) -> LossWindows:
        """Windows of one size, each with its object's neighbourhood and a halo of one token."""
        near = neighbourhood(coverage)
        top, rows = _token_spans(near.any(dim=2).cpu().numpy(), frame.rows)
        left, cols = _token_spans(near.any(dim=1).cpu().numpy(), frame.cols)
        return cls(frame, TokenCrops(top, left, rows, cols), near, coverage)

    @property
    def share(self) -> float:
        """Tokens in an object's two windows as a share of the grid; close to 1, windows save nothing."""
        return 2 * self.windows.rows * self.windows.cols / (self.frame.rows * self.frame.cols)

    def at(self, rows: Sequence[int]) -> LossWindows:
        """The windows of some of the objects, of the same size as before."""
        placed = self.windows
        index = torch.tensor(list(rows), device=self.near.device)
        top, left = cast(list[int], placed.top), cast(list[int], placed.left)  # `around` makes lists
        return LossWindows(
            self.frame,
            replace(placed, top=[top[row] for row in rows], left=[left[row] for row in rows]),
            self.near[index],
            self.coverage[index],
        )

    def elsewhere(self, logits: Tensor, draws: Tensor) -> TokenCrops:
        """For each object a window around its highest logit outside the neighbourhood, or anywhere, by equal chance.

        draws: (2, P) float64 in 0..1, which of the two it is and where a random one lies. Where clicks are computed
        on the device, the windows' places stay there too.
        """
        frame, windows = self.frame, self.windows
        highest = logits.masked_fill(self.near, -torch.inf).flatten(1).argmax(dim=1)
        width = frame.cols * LOGIT_STRIDE
        anywhere = (draws[1] * (width * frame.rows * LOGIT_STRIDE)).long()
        centre = torch.where(draws[0] < 0.5, highest, anywhere)
        row, column = centre // (width * LOGIT_STRIDE), centre % width // LOGIT_STRIDE
        top = (row - windows.rows // 2).clamp(0, frame.rows - windows.rows)
        left = (column - windows.cols // 2).clamp(0, frame.cols - windows.cols)
        if on_device(logits.device):
            return TokenCrops(top, left, windows.rows, windows.cols)
        return TokenCrops(top.tolist(), left.tolist(), windows.rows, windows.cols)

    def losses(
        self,
        model: SamHQ,
        embedding: ImageEmbedding,
        state: DecoderState,
        logits: Tensor,
        loss: MaskLoss,
        draws: Tensor,
    ) -> Tensor:
        """Loss of each object, (P,), with a graph through its two windows alone.

        logits: (P, h, w), the whole masks without a graph. draws: (2, P), see `elsewhere`.
        """
        inside = self._logits(model, embedding, state, self.windows)
        coverage, near = self.cut(self.coverage, self.windows), self.cut(self.near, self.windows)
        probability = inside.sigmoid() * near
        entropy = F.binary_cross_entropy_with_logits(inside, coverage, reduction="none")
        far = self.elsewhere(logits, draws)
        # Nothing is covered outside the neighbourhood, so the cross-entropy there is the softplus of the logit.
        surplus = F.softplus(self._logits(model, embedding, state, far))
        counted = ~self.cut(self.near, far) & self.core(far)
        return loss.weighted(
            area(probability * coverage),
            area(probability) + area(logits.sigmoid() * ~self.near),
            area(self.coverage),
            mean_where(entropy, near) + mean_where(surplus, counted),
            at_least_single(state.score),
            hard_iou(logits, self.coverage),
        )

    def click_losses(
        self, model: SamHQ, embedding: ImageEmbedding, state: DecoderState, terms: ClickTerms, clicked: Clicked
    ) -> Tensor:
        """The terms of the clicks, (P,), as `terms` gives them for the whole masks, with a graph through pieces.

        A logit at a click is mixed from logits of its token and the next ones, whose own neighbours reach no farther,
        so three tokens along each axis are enough without a halo.
        """
        total, values, last = torch.zeros_like(self.coverage[:, 0, 0]), [], clicked.points.shape[1] - 1
        for index in range(last + 1) if terms.click > 0 else [last]:
            with_region = index == last and terms.region > 0
            pieces = self._around_clicks(clicked.points[:, index], _REGION + HALO if with_region else _AT_CLICK)
            logits = self._logits(model, embedding, state, pieces)
            wrong = None if clicked.wrong is None else self.cut(clicked.wrong, pieces)
            inside = clicked.in_pieces(index, self._corners(pieces), wrong)
            values.append(logits_at(logits, inside.points))
            if with_region:
                total = total + terms.region * region_term(logits, self.cut(self.coverage, pieces), inside)
        if terms.click > 0:
            total = total + terms.click * click_term(torch.cat(values, dim=1), clicked.labels)
        return total

    def _around_clicks(self, points: Tensor, side: int) -> TokenCrops:
        """Pieces with up to `side` tokens on each side of the token at points (P, 2), in logit pixels."""
        token = torch.floor((points + 0.5) / LOGIT_STRIDE).long()
        rows, cols = min(2 * side + 1, self.frame.rows), min(2 * side + 1, self.frame.cols)
        left = (token[:, 0] - side).clamp(0, self.frame.cols - cols)
        top = (token[:, 1] - side).clamp(0, self.frame.rows - rows)
        if on_device(points.device):
            return TokenCrops(top, left, rows, cols)
        return TokenCrops(top.tolist(), left.tolist(), rows, cols)

    def _corners(self, pieces: TokenCrops) -> Tensor:
        """x, y of each piece's first logit, (P, 2)."""
        device = self.near.device
        starts = [torch.as_tensor(start, device=device) for start in (pieces.left, pieces.top)]
        return LOGIT_STRIDE * torch.stack(starts, dim=1)

    def core(self, windows: TokenCrops) -> Tensor:
        """Where a window's logits equal those of the whole map, (P, h, w) bool: everywhere but in its halo."""
        device = self.near.device
        down = _inner(torch.as_tensor(windows.top, device=device), windows.rows, self.frame.rows)
        across = _inner(torch.as_tensor(windows.left, device=device), windows.cols, self.frame.cols)
        return down[:, :, None] & across[:, None, :]

    def _logits(self, model: SamHQ, embedding: ImageEmbedding, state: DecoderState, windows: TokenCrops) -> Tensor:
        return at_least_single(model.mask_decoder.masks(state, embedding.hq, windows))

    def cut(self, maps: Tensor, windows: TokenCrops) -> Tensor:
        """What the windows show of maps at logit resolution, (P, h, w) to (P, 4 rows, 4 cols)."""
        return windows.finer(LOGIT_STRIDE).cut(maps[:, None])[:, 0]


def click_piece_tokens(terms: ClickTerms, clicks: int) -> int:
    """Tokens in an object's pieces of `LossWindows.click_losses` with so many clicks."""
    at_click, region = (2 * _AT_CLICK + 1) ** 2, (2 * (_REGION + HALO) + 1) ** 2
    older = at_click * (clicks - 1) if terms.click > 0 else 0
    return older + (region if terms.region > 0 else at_click if terms.click > 0 else 0)


@torch.no_grad()
def whole_masks(model: SamHQ, embedding: ImageEmbedding, state: DecoderState, previous: Tensor | None) -> Tensor:
    """The logits of the whole masks, (P, h, w), without a graph. They are what is clicked on and fed back.

    On a CPU they are exact where they can be positive, and estimates elsewhere (`upscale_sparsely`). A GPU computes
    all of them exactly, because to find out where they can be positive would mean to wait for the device.
    previous: the logits that were fed back, or None.
    """
    decoder = model.mask_decoder
    if not on_device(state.source.device) and can_upscale_sparsely(decoder):
        return upscale_sparsely(decoder, state, embedding.hq, previous)
    return decoder.masks(state, embedding.hq)


def _token_spans(covered: np.ndarray, tokens: int) -> tuple[list[int], int]:
    """First tokens and common length of windows over the covered logits of each row of (P, n), and the halo."""
    first = covered.argmax(axis=1) // LOGIT_STRIDE - HALO
    last = (covered.shape[1] - 1 - covered[:, ::-1].argmax(axis=1)) // LOGIT_STRIDE + HALO
    first, last = np.maximum(first, 0), np.minimum(last, tokens - 1)
    length = int((last - first + 1).max())
    return np.minimum(first, tokens - length).tolist(), length


def _inner(starts: Tensor, length: int, tokens: int) -> Tensor:
    """Which logits along one axis of each window are not in its halo, (P, 4 length) bool."""
    place = torch.arange(length * LOGIT_STRIDE, device=starts.device)
    start, halo = starts[:, None], HALO * LOGIT_STRIDE
    low = halo * (start != 0)
    high = length * LOGIT_STRIDE - halo * (start + length != tokens)
    return (place >= low) & (place < high)
