"""One object's mask at the image's resolution, computed only around the object.

SAM upscales a mask in two bilinear steps, to the frame and from there to the image. A panoramic has 4 million pixels
and a tooth covers 50,000 of them, so both steps are computed only in the box around the positive logits. Elsewhere no
logit is positive, and neither is a mean of them.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from dentasam.model.core.frame import LOGIT_STRIDE, Frame

# With a value closer to zero, the order of additions may decide about a pixel; the whole image is then upscaled.
MIN_CERTAIN_LOGIT = 2e-5
STRIP_VALUES = 1 << 20


@torch.inference_mode()
def full_mask(logits: np.ndarray, frame: Frame) -> tuple[int, int, np.ndarray]:
    """The mask of one object's logits (h, w), exactly as from `Frame.logits_to_image`.

    Returns x and y of the mask's upper left pixel in the image, and the mask (height, width) bool around the object.
    """
    positive = logits > 0
    if not positive.any():
        return 0, 0, np.zeros((0, 0), bool)
    rows, columns = _span(positive, 1), _span(positive, 0)
    height, width = frame.size
    top, upscaled_rows = _kept(rows, logits.shape[0], height)
    left, upscaled_columns = _kept(columns, logits.shape[1], width)
    crop = torch.from_numpy(np.ascontiguousarray(logits[rows[0] : rows[1], columns[0] : columns[1]]))
    upscaled = F.interpolate(crop[None, None], scale_factor=LOGIT_STRIDE, mode="bilinear", align_corners=False)[0, 0]
    values = upscaled.numpy()[upscaled_rows, upscaled_columns]
    if (height, width) != (frame.height, frame.width):
        y, first_row, share_down = _places(top, values.shape[0], height, frame.height)
        x, first_column, share_across = _places(left, values.shape[1], width, frame.width)
        second_row = np.minimum(first_row + 1, values.shape[0] - 1)
        second_column = np.minimum(first_column + 1, values.shape[1] - 1)
        across = values[:, first_column] * (1 - share_across) + values[:, second_column] * share_across
        mask = np.empty((len(first_row), across.shape[1]), bool)
        # In strips of rows, since logits are four times as large as their mask.
        rows_at_once = max(1, STRIP_VALUES // max(1, across.shape[1]))
        for start in range(0, len(mask), rows_at_once):
            strip = slice(start, start + rows_at_once)
            share = share_down[strip, None]
            values = across[first_row[strip]] * (1 - share) + across[second_row[strip]] * share
            if (np.abs(values) < MIN_CERTAIN_LOGIT).any():
                return x, y, _from_whole(logits, frame, x, y, *mask.shape)
            mask[strip] = values > 0
        return x, y, mask
    return left, top, values > 0


def full_masks(logits: np.ndarray, frame: Frame) -> np.ndarray:
    """The masks (P, height, width) bool of P objects' logits (P, h, w), each computed only around its object."""
    masks = np.zeros((len(logits), frame.height, frame.width), bool)
    for mask, one in zip(masks, logits, strict=True):
        x, y, inside = full_mask(one, frame)
        mask[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return masks


def _from_whole(logits: np.ndarray, frame: Frame, x: int, y: int, height: int, width: int) -> np.ndarray:
    """The mask (height, width) bool in a box at x, y, upscaled with the whole image."""
    whole = frame.logits_to_image(torch.from_numpy(logits)[None])[0]
    # Only the box is kept: the masks of all objects of 100 megapixels are gigabytes.
    return (whole[y : y + height, x : x + width] > 0).numpy()


def _span(positive: np.ndarray, across: int) -> tuple[int, int]:
    """First and last + 1 of the rows (`across` 1) or columns (0) with positive logits, and two logits around them.

    The bilinear steps reach one logit; the other is lost at the crop's edge.
    """
    indices = np.flatnonzero(positive.any(axis=across))
    return max(0, int(indices[0]) - 2), min(positive.shape[1 - across], int(indices[-1]) + 3)


def _kept(span: tuple[int, int], logits: int, length: int) -> tuple[int, slice]:
    """The first frame pixel of the crop that equals the whole map's, and the slice of the crop's pixels that do.

    At an edge of the crop that is not an edge of the map, pixels lack their outer neighbour and are left out.
    """
    start, stop = span
    first = 0 if start == 0 else LOGIT_STRIDE
    last = (stop - start) * LOGIT_STRIDE - (0 if stop == logits else LOGIT_STRIDE)
    begin = start * LOGIT_STRIDE + first
    return begin, slice(first, min(last, length - start * LOGIT_STRIDE))


def _places(begin: int, count: int, length: int, full: int) -> tuple[int, np.ndarray, np.ndarray]:
    """The image pixels along one axis whose two neighbours are among `count` frame pixels from `begin` on.

    Returns the first of these image pixels, the index of the lower neighbour of each, and the upper neighbour's
    share, in float32 as torch computes it. length, full: the axis in frame and in image pixels.
    """
    scale = np.float32(length) / np.float32(full)
    at = np.maximum((np.arange(full, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5), np.float32(0))
    lower = at.astype(np.int64)
    upper = np.minimum(lower + 1, length - 1)
    inside = np.flatnonzero((lower >= begin) & (upper < begin + count))
    first, last = int(inside[0]), int(inside[-1]) + 1
    return first, lower[first:last] - begin, (at - lower.astype(np.float32))[first:last]
