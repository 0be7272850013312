"""Masks that are upscaled only around each object, with a check over the whole image.

A tooth covers about 1 % of a panoramic, yet upscaling the whole grid and the HQ convolutions on it are most of a
decode. So, in this order:

    1. estimate   one logit of each token, for every token of the image: exact for SAM's part, and for the HQ part
                  as if the map were constant around it
    2. box        around the tokens whose estimate is nearly positive and those of the previous mask, plus a halo of
                  one token
    3. upscale    the logits in the box, exactly
    4. grow       the box wherever the mask reaches its edge, and upscale again

So a mask that covers half the jaw is found whole. Outside the boxes the logits are negative estimates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dentasam.model.core.effective_weights import Affine, effective_weights, is_affine
from dentasam.model.core.frame import LOGIT_STRIDE
from dentasam.model.decoder.mask_decoder import DecoderState, MaskDecoderHQ, Output
from dentasam.model.decoder.token_crops import TokenCrops

# Tokens with an estimate above this may contain positive logits.
MIN_ESTIMATE = -2.0
HALO = 1
# Tokens by which a box grows on each side when the mask reaches its edge; doubled each further time.
GROWTH = 2
# Boxes up to this share of the grid are upscaled together, in the size of the largest, and larger ones one by one.
MAX_BATCHED_SHARE = 1 / 16
# Above this share of the grid a box saves too little, and the object's whole map is upscaled.
MAX_SPARSE_SHARE = 0.4
# Which logit of each token is estimated, near its middle: the subpixel that each of the two upscaling steps gives.
FIRST_SUBPIXEL, SECOND_SUBPIXEL = 1, 0
SAMPLE = 2 * FIRST_SUBPIXEL + SECOND_SUBPIXEL


@dataclass(frozen=True)
class _Boxes:
    """Boxes of tokens around P objects: first and last row and column, each (P,), the last ones inclusive."""

    top: Tensor
    bottom: Tensor
    left: Tensor
    right: Tensor

    @classmethod
    def around(cls, tokens: Tensor) -> _Boxes:
        """Boxes around the true tokens of P maps (P, rows, cols), at least one each, with the halo."""
        rows, cols = tokens.any(dim=2).byte(), tokens.any(dim=1).byte()
        last_row, last_col = rows.shape[1] - 1, cols.shape[1] - 1
        return cls(
            (rows.argmax(dim=1) - HALO).clamp(min=0),
            (last_row - rows.flip(1).argmax(dim=1) + HALO).clamp(max=last_row),
            (cols.argmax(dim=1) - HALO).clamp(min=0),
            (last_col - cols.flip(1).argmax(dim=1) + HALO).clamp(max=last_col),
        )

    def __getitem__(self, objects: Tensor) -> _Boxes:
        return _Boxes(self.top[objects], self.bottom[objects], self.left[objects], self.right[objects])

    def grown(self, by: int, rows: int, cols: int) -> _Boxes:
        return _Boxes(
            (self.top - by).clamp(min=0),
            (self.bottom + by).clamp(max=rows - 1),
            (self.left - by).clamp(min=0),
            (self.right + by).clamp(max=cols - 1),
        )

    @property
    def area(self) -> Tensor:
        return (self.bottom - self.top + 1) * (self.right - self.left + 1)


def upscale_sparsely(
    decoder: MaskDecoderHQ, state: DecoderState, hq: Tensor, previous: Tensor | None, output: Output = "sam+hq"
) -> Tensor:
    """Mask logits (P, 4 rows, 4 cols) as `decoder.masks` gives them around each object, negative estimates elsewhere.

    previous: (P, 4 rows, 4 cols), the mask logits that were fed back, or None.
    Not for the HQ mask alone, for which the estimate is too rough, for adapters that are more than a weight (see
    `can_upscale_sparsely`), or where gradients are needed: call `decoder.masks` for those.
    """
    rows, cols = state.source.shape[-2:]
    estimate = token_estimates(decoder, state, hq, output)
    wanted = estimate > MIN_ESTIMATE
    if previous is not None:
        wanted |= F.max_pool2d(previous.nan_to_num(-1.0)[:, None], LOGIT_STRIDE)[:, 0] > 0
    best = estimate.flatten(1).argmax(dim=1, keepdim=True)
    wanted = wanted.flatten(1).scatter(1, best, True).view_as(estimate)
    whole = estimate.clamp(max=MIN_ESTIMATE).repeat_interleave(LOGIT_STRIDE, 1).repeat_interleave(LOGIT_STRIDE, 2)

    boxes, objects = _Boxes.around(wanted), torch.arange(len(estimate), device=estimate.device)
    growth = GROWTH
    while len(objects):
        share = boxes.area / (rows * cols)
        reaching = []
        for chosen in _batches(share):
            place = objects[chosen]
            if float(share[chosen].max()) > MAX_SPARSE_SHARE:
                part = _of(state, place, state.source[place])
                whole[place] = decoder.masks(part, hq, output=output).to(whole.dtype)
            else:
                reaching.append(chosen[_fill(whole, decoder, state, hq, place, boxes[chosen], output)])
        again = torch.cat(reaching) if reaching else objects[:0]
        objects, boxes = objects[again], boxes[again].grown(growth, rows, cols)
        growth *= 2
    return whole


def token_estimates(decoder: MaskDecoderHQ, state: DecoderState, hq: Tensor, output: Output = "sam+hq") -> Tensor:
    """One logit of each token, (P, rows, cols): exact for SAM's part, for the HQ part as if the map were constant."""
    first, norm, act, second, last_act = decoder.output_upscaling
    tokens = state.source.flatten(2).transpose(1, 2)  # (P, m, 256)
    weight, bias = cast(Affine, effective_weights(first))
    hidden = act(_layer_norm(norm, F.linear(tokens, weight[:, :, FIRST_SUBPIXEL, FIRST_SUBPIXEL].T, bias)))
    weight, bias = cast(Affine, effective_weights(second))
    upscaled = last_act(F.linear(hidden, weight[:, :, SECOND_SUBPIXEL, SECOND_SUBPIXEL].T, bias))  # (P, m, 32)
    estimate = torch.bmm(upscaled, state.sam_vector[:, :, None])[:, :, 0]
    if output != "sam":
        vector = state.hq_vector
        convolution, norm, act, last = decoder.embedding_maskfeature
        weight, bias = cast(Affine, effective_weights(convolution))
        hidden = act(_layer_norm(norm, F.linear(upscaled, weight.sum((2, 3)), bias)))
        weight, bias = cast(Affine, effective_weights(last))
        kernel = vector @ weight.sum((2, 3))  # (P, 64)
        sampled = hq[:, :, SAMPLE::LOGIT_STRIDE, SAMPLE::LOGIT_STRIDE].flatten(2)  # (B, 32, m)
        shares = sampled[0] if state.image is None else sampled[state.image]
        share = (vector[:, None] @ shares)[:, 0]
        constant = F.linear(vector, bias[None])
        estimate = estimate + torch.bmm(hidden, kernel[:, :, None])[:, :, 0] + constant + share
    return estimate.unflatten(1, state.source.shape[-2:])


def can_upscale_sparsely(decoder: MaskDecoderHQ) -> bool:
    """Whether each of the decoder's convolutions, with its adapters, is one weight and one bias."""
    return all(
        is_affine(part[index])
        for part in (decoder.output_upscaling, decoder.embedding_maskfeature)
        for index in (0, 3)
    )


def _batches(share: Tensor) -> list[Tensor]:
    """Indices of the boxes that are upscaled together, by their shares (P,) of the grid."""
    small = share <= MAX_BATCHED_SHARE
    whole = share > MAX_SPARSE_SHARE
    together = [torch.nonzero(group)[:, 0] for group in (small, whole)]
    return [batch for batch in (*together, *torch.nonzero(~small & ~whole).unbind()) if len(batch)]


def _fill(
    whole: Tensor,
    decoder: MaskDecoderHQ,
    state: DecoderState,
    hq: Tensor,
    objects: Tensor,
    boxes: _Boxes,
    output: Output,
) -> Tensor:
    """Write the exact logits of n objects' boxes into `whole`; returns which reach their box's edge, (n,) bool."""
    rows, cols = state.source.shape[-2:]
    height = int((boxes.bottom - boxes.top).max()) + 1
    width = int((boxes.right - boxes.left).max()) + 1
    top, left = boxes.top.clamp(max=rows - height).tolist(), boxes.left.clamp(max=cols - width).tolist()
    crops = TokenCrops(top, left, height, width, objects.tolist())
    exact = decoder.masks(_of(state, objects, state.source), hq, crops, output).to(whole.dtype)
    touched = []
    corners = zip(boxes.top.tolist(), boxes.bottom.tolist(), boxes.left.tolist(), boxes.right.tolist(), strict=True)
    for index, (object, (first, last, start, stop)) in enumerate(zip(objects.tolist(), corners, strict=True)):
        # The logits in the halo are exact only at the image's border.
        first, last = first + HALO * (first > 0), last - HALO * (last < rows - 1)
        start, stop = start + HALO * (start > 0), stop - HALO * (stop < cols - 1)
        down = slice(LOGIT_STRIDE * (first - top[index]), LOGIT_STRIDE * (last + 1 - top[index]))
        across = slice(LOGIT_STRIDE * (start - left[index]), LOGIT_STRIDE * (stop + 1 - left[index]))
        core = exact[index, down, across]
        place = whole[object, LOGIT_STRIDE * first : LOGIT_STRIDE * (last + 1)]
        place[:, LOGIT_STRIDE * start : LOGIT_STRIDE * (stop + 1)] = core
        positive = core > 0
        edges = (
            (positive[:LOGIT_STRIDE], first > 0),
            (positive[-LOGIT_STRIDE:], last < rows - 1),
            (positive[:, :LOGIT_STRIDE], start > 0),
            (positive[:, -LOGIT_STRIDE:], stop < cols - 1),
        )
        touched.append(any(inside and bool(edge.any()) for edge, inside in edges))
    return torch.tensor(touched, dtype=torch.bool, device=objects.device)


def _of(state: DecoderState, objects: Tensor, source: Tensor) -> DecoderState:
    """The state of some objects with this source: their own, or one from which their crops will be cut."""
    return replace(
        state,
        source=source,
        sam_vector=state.sam_vector[objects],
        hq_vector=state.hq_vector[objects],
        score=state.score[objects],
        choice_vectors=state.choice_vectors[objects],
        choice_scores=state.choice_scores[objects],
        image=None if state.image is None else state.image[objects],
    )


def _layer_norm(norm: nn.Module, x: Tensor) -> Tensor:
    """A `LayerNorm2d` of features (P, m, C) whose channels are last."""
    weight, bias = norm.weight, norm.bias
    return F.layer_norm(x, (x.shape[-1],), weight, bias, norm.eps)  # type: ignore[arg-type]
