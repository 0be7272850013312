"""Masks computed only where an object can be, under a guard that looks at the whole image.

A tooth fills about 1 % of a panoramic, yet upscaling the whole grid and the HQ convolutions on it are most of a
decode. So one logit in sixteen is estimated first, for every token of the image: SAM's share of it is exact, the HQ
convolutions are taken as if the map were the same all around it. Tokens whose estimate comes near to being positive,
those of the previous mask, and one token around them make the object's window; there the logits are exact. Where the
mask then reaches the window's edge the window grows, so a mask that runs over half the jaw is found as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dentasam.model.core.effective_weights import Affine, effective, is_affine
from dentasam.model.core.frame import LOGIT_STRIDE
from dentasam.model.decoder.mask_decoder import Attended, MaskDecoderHQ, Output
from dentasam.model.decoder.token_windows import TokenWindows

# A token may hold positive logits where its estimate is above this.
REACH = -2.0
HALO = 1
# Tokens a window grows by on each side where the mask reaches its edge; the second time by twice as many, and so on.
GROWTH = 2
# Windows up to this share of the grid are computed together, in the size of the largest; larger ones one by one, and
# above the second share a window saves too little: its object is computed whole.
TOGETHER, LARGEST = 1 / 16, 0.4
# The logit of each token that is estimated: the sub-pixel of each of the two upscaling steps, near the middle.
FIRST, SECOND = 1, 0
SAMPLE = 2 * FIRST + SECOND


@dataclass(frozen=True)
class _Boxes:
    """Token boxes of objects: first and last row and column, (P,) each."""

    top: Tensor
    bottom: Tensor
    left: Tensor
    right: Tensor

    @classmethod
    def around(cls, tokens: Tensor) -> _Boxes:
        """Of the true tokens of (P, rows, cols), at least one each, grown by the halo."""
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


def windowed_masks(
    decoder: MaskDecoderHQ, attended: Attended, hq: Tensor, previous: Tensor | None, output: Output = "sam+hq"
) -> Tensor:
    """`decoder.masks` (P, 4 rows, 4 cols), exact in each object's window and a negative estimate outside.

    previous: (P, 4 rows, 4 cols), the mask logits that were fed back, or None. For the HQ mask alone, which the
    estimate is too rough for, for adapters that are more than a weight (`can_window`), or where gradients are wanted,
    call `decoder.masks`.
    """
    rows, cols = attended.source.shape[-2:]
    estimate = token_estimates(decoder, attended, hq, output)
    wanted = estimate > REACH
    if previous is not None:
        wanted |= F.max_pool2d(previous.nan_to_num(-1.0)[:, None], LOGIT_STRIDE)[:, 0] > 0
    best = estimate.flatten(1).argmax(dim=1, keepdim=True)
    wanted = wanted.flatten(1).scatter(1, best, True).view_as(estimate)
    whole = estimate.clamp(max=REACH).repeat_interleave(LOGIT_STRIDE, 1).repeat_interleave(LOGIT_STRIDE, 2)

    boxes, objects = _Boxes.around(wanted), torch.arange(len(estimate), device=estimate.device)
    growth = GROWTH
    while len(objects):
        share = boxes.area / (rows * cols)
        reaching = []
        for chosen in _batches(share):
            place = objects[chosen]
            if float(share[chosen].max()) > LARGEST:
                part = _of(attended, place, attended.source[place])
                whole[place] = decoder.masks(part, hq, output=output).to(whole.dtype)
            else:
                reaching.append(chosen[_fill(whole, decoder, attended, hq, place, boxes[chosen], output)])
        again = torch.cat(reaching) if reaching else objects[:0]
        objects, boxes = objects[again], boxes[again].grown(growth, rows, cols)
        growth *= 2
    return whole


def token_estimates(decoder: MaskDecoderHQ, attended: Attended, hq: Tensor, output: Output = "sam+hq") -> Tensor:
    """One logit of each token, (P, rows, cols): SAM's exactly, HQ's as in a map that is the same all around it."""
    first, norm, act, second, last_act = decoder.output_upscaling
    tokens = attended.source.flatten(2).transpose(1, 2)  # (P, m, 256)
    weight, bias = cast(Affine, effective(first))
    hidden = act(_layer_norm(norm, F.linear(tokens, weight[:, :, FIRST, FIRST].T, bias)))
    weight, bias = cast(Affine, effective(second))
    upscaled = last_act(F.linear(hidden, weight[:, :, SECOND, SECOND].T, bias))  # (P, m, 32)
    estimate = torch.bmm(upscaled, attended.sam_vector[:, :, None])[:, :, 0]
    if output != "sam":
        vector = attended.hq_vector
        convolution, norm, act, last = decoder.embedding_maskfeature
        weight, bias = cast(Affine, effective(convolution))
        hidden = act(_layer_norm(norm, F.linear(upscaled, weight.sum((2, 3)), bias)))
        weight, bias = cast(Affine, effective(last))
        kernel = vector @ weight.sum((2, 3))  # (P, 64)
        sampled = hq[:, :, SAMPLE::LOGIT_STRIDE, SAMPLE::LOGIT_STRIDE].flatten(2)  # (B, 32, m)
        shares = sampled[0] if attended.image is None else sampled[attended.image]
        share = (vector[:, None] @ shares)[:, 0]
        constant = F.linear(vector, bias[None])
        estimate = estimate + torch.bmm(hidden, kernel[:, :, None])[:, :, 0] + constant + share
    return estimate.unflatten(1, attended.source.shape[-2:])


def can_window(decoder: MaskDecoderHQ) -> bool:
    """Whether the decoder's convolutions are one weight and bias each, their adapters included."""
    return all(
        is_affine(part[index])
        for part in (decoder.output_upscaling, decoder.embedding_maskfeature)
        for index in (0, 3)
    )


def _batches(share: Tensor) -> list[Tensor]:
    """Which windows are computed together, by their shares of the grid."""
    small = share <= TOGETHER
    whole = share > LARGEST
    together = [torch.nonzero(group)[:, 0] for group in (small, whole)]
    return [batch for batch in (*together, *torch.nonzero(~small & ~whole).unbind()) if len(batch)]


def _fill(
    whole: Tensor,
    decoder: MaskDecoderHQ,
    attended: Attended,
    hq: Tensor,
    objects: Tensor,
    boxes: _Boxes,
    output: Output,
) -> Tensor:
    """Write the exact logits of each object's box into `whole`; (n,) bool, whose mask reaches its box's edge."""
    rows, cols = attended.source.shape[-2:]
    height = int((boxes.bottom - boxes.top).max()) + 1
    width = int((boxes.right - boxes.left).max()) + 1
    top, left = boxes.top.clamp(max=rows - height).tolist(), boxes.left.clamp(max=cols - width).tolist()
    windows = TokenWindows(top, left, height, width, objects.tolist())
    exact = decoder.masks(_of(attended, objects, attended.source), hq, windows, output).to(whole.dtype)
    touched = []
    corners = zip(boxes.top.tolist(), boxes.bottom.tolist(), boxes.left.tolist(), boxes.right.tolist(), strict=True)
    for index, (object, (first, last, start, stop)) in enumerate(zip(objects.tolist(), corners, strict=True)):
        # The halo's logits are exact only where it lies at the border of the image.
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


def _of(attended: Attended, objects: Tensor, source: Tensor) -> Attended:
    """Some objects' vectors, beside their source or one that windows will be cut from."""
    return replace(
        attended,
        source=source,
        sam_vector=attended.sam_vector[objects],
        hq_vector=attended.hq_vector[objects],
        score=attended.score[objects],
        image=None if attended.image is None else attended.image[objects],
    )


def _layer_norm(norm: nn.Module, x: Tensor) -> Tensor:
    """A LayerNorm2d on channels that come last already."""
    weight, bias = norm.weight, norm.bias
    return F.layer_norm(x, (x.shape[-1],), weight, bias, norm.eps)  # type: ignore[arg-type]
