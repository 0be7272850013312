"""The masks of P objects of a `WindowedImage` as arrays, and the arrays that a user asks with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dentasam.errors import PromptError
from dentasam.model.core.prompt_arrays import checked_clicks
from dentasam.model.windows.objects import ObjectAnswer, ObjectPrompt, masks_on_image, scores_of


@dataclass(frozen=True)
class WindowPrediction:
    """The masks of P objects, to pass on to the next `WindowedImage.predict` as `previous`.

    answers: of each object, with its window. height, width: of the image.
    """

    answers: tuple[ObjectAnswer, ...]
    height: int
    width: int

    def __len__(self) -> int:
        return len(self.answers)

    @cached_property
    def masks(self) -> np.ndarray:
        """(P, H, W) bool, at the image's resolution; made when it is first asked for."""
        return masks_on_image(self.answers, self.height, self.width)

    @cached_property
    def scores(self) -> np.ndarray:
        """(P,) predicted IoU."""
        return scores_of(self.answers)


def object_prompts(
    clicks: np.ndarray,
    labels: np.ndarray,
    boxes: np.ndarray | None,
    previous: WindowPrediction | Sequence[ObjectAnswer] | None,
    prefer_part: bool,
) -> list[ObjectPrompt]:
    """The prompts of P objects from arrays, as `WindowedImage.predict` takes them. Raises PromptError."""
    points, marks = checked_clicks(clicks, labels, boxes)
    before: Sequence[ObjectAnswer | None] = [None] * len(points)
    if previous is not None:
        before = previous.answers if isinstance(previous, WindowPrediction) else previous
    if len(before) != len(points):
        raise PromptError(f"previous must have the answers of {len(points)} objects, not of {len(before)}")
    prompts = []
    for index, answer in enumerate(before):
        given = marks[index] >= 0
        own = np.column_stack([points[index, given], marks[index, given]]).astype(np.float64)
        corners = None
        if boxes is not None and np.isfinite(boxes[index]).all():
            x0, y0, x1, y1 = map(float, boxes[index])
            corners = x0, y0, x1, y1
        prompts.append(ObjectPrompt(own, corners, answer, prefer_part))
    return prompts
