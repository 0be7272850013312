"""A correction changes the mask where it was clicked, and elsewhere only in part.

Away from its new clicks a decode says little that the one before did not say. Taken whole, it moves outlines there
that were right. So its logits are averaged with those before; they count fully at a new click, and less farther away:

    weight = max(MIN_WEIGHT, exp(-d^2 / 2 s^2)),  s = SPREAD sqrt(area),  d to the nearest new click

FocalClick's progressive merge (Chen et al., 2022, https://arxiv.org/abs/2204.02574) keeps the old mask away from the
click altogether; measured here, the mean of both was better. Where a click changes what is meant, from a tooth to its
filling, the new mask is taken as it is.
"""

from __future__ import annotations

import numpy as np

from dentasam.model.windows.objects import ObjectPrompt
from dentasam.model.windows.window import Window

# What a decode counts for far from its new clicks.
MIN_WEIGHT = 0.3
# The Gaussian's standard deviation, as a share of the side of a square as large as the object.
SPREAD = 0.35
# Masks with a lower IoU mean different things.
MIN_IOU = 0.8
# The area that smaller objects are taken for, in logits.
_MIN_AREA = 16


def blended(prompt: ObjectPrompt, window: Window, decoded: np.ndarray) -> np.ndarray:
    """Logits (h, w) of a window: those of a correction averaged with the earlier answer's, others as decoded.

    Only the model's own logits in the same window are averaged. In another window they are cut off at the old one's
    edges, and logits that stand for a painted or imported mask tell where its outline is, but not how sure that is.
    """
    previous = prompt.previous
    if previous is None or previous.answered is None or previous.window != window:
        return decoded
    clicks = prompt.clicks[previous.answered :]
    before = previous.logits
    old, new = before > 0, decoded > 0
    if not len(clicks) or int((old & new).sum()) < MIN_IOU * int((old | new).sum()):
        return decoded
    spread = SPREAD * max(int(old.sum()), int(new.sum()), _MIN_AREA) ** 0.5
    x, y = window.grid.index_of(clicks[:, :2]).T[..., None, None]
    rows, columns = np.ogrid[: decoded.shape[0], : decoded.shape[1]]
    squared = ((rows - y) ** 2 + (columns - x) ** 2).min(axis=0)
    weight = np.maximum(np.exp(-squared / (2 * spread**2)), MIN_WEIGHT).astype(np.float32)
    result: np.ndarray = before + weight * (decoded - before)
    return result
