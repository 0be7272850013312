"""What is asked for an object of a `WindowedImage`, and what is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dentasam.model.core.frame import Frame
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.window import Window, grid_of


@dataclass(frozen=True)
class ObjectAnswer:
    """The model's answer for one object.

    mask: at the image's resolution. score: predicted IoU of the decode that led to it.
    logits: (h, w) float32, on the grid of the window, or of the whole image where `window` is None.
    repairs: how many clicks the mask still contradicted, and `local_repair.py` enforced.
    newest_repaired: whether the newest click was one of them in any decode that led to this answer: without the
    repair, the model would not have heeded it.
    answered: to how many of the object's clicks, from the first, the model answered with these logits; None where
    they stand for a mask that the model did not give.
    """

    mask: BoxedMask
    logits: np.ndarray
    score: float
    window: Window | None = None
    repairs: int = 0
    newest_repaired: bool = False
    answered: int | None = None

    def logits_in(self, window: Window | None, frame: Frame) -> np.ndarray:
        """The logits in another window, or on the whole image for None; frame: the whole image's."""
        if window == self.window:
            return self.logits
        shape = frame.logits if window is None else window.logits
        return grid_of(self.window, frame).resampled(self.logits, grid_of(window, frame), shape)


def masks_on_image(answers: Sequence[ObjectAnswer], height: int, width: int) -> np.ndarray:
    """The whole masks of P answers, (P, height, width) bool."""
    masks = np.zeros((len(answers), height, width), bool)
    for target, answer in zip(masks, answers, strict=True):
        target[:] = answer.mask.on_image(height, width)
    return masks


def scores_of(answers: Sequence[ObjectAnswer]) -> np.ndarray:
    """The predicted IoU of P answers, (P,) float32."""
    return np.array([answer.score for answer in answers], np.float32)


@dataclass(frozen=True)
class ObjectPrompt:
    """What is asked for one object, in image pixels.

    clicks: (k, 3) x, y, and 1 positive or 0 negative; the oldest first.
    box: x0, y0, x1, y1 or None.
    previous: the object's last answer, which the newest click corrects; None where there is none.
    prefer_part: whether a first click means a part (a filling, a lesion) rather than the tooth that it belongs to,
    where the model is about as sure of both. Without effect where there is an earlier answer.
    """

    clicks: np.ndarray
    box: tuple[float, float, float, float] | None = None
    previous: ObjectAnswer | None = None
    prefer_part: bool = False
