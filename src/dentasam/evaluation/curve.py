"""The click curve: how well a segmenter's masks of an image's objects fit after each simulated click."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dentasam.evaluation.metrics import boxed_overlap
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.prompts.correction_clicks import boxed_correction_click, boxed_interior_centre

if TYPE_CHECKING:
    from dentasam.model.windows.objects import ObjectAnswer
    from dentasam.model.windows.windowed_image import WindowedImage


@dataclass(frozen=True)
class ClickCurve:
    """P objects over k clicks.

    dice, iou: (P, k).
    points: (P, k, 2) x, y in image pixels. labels: (P, k), 1 or 0, -1 where no further click was needed.
    unheeded: (P, k) whether the clicked pixel is on the wrong side of the mask after the click's decode.
    repaired: (P, k) whether the local repair had to enforce the click. windowed: (P, k) whether an object window
    answered it, and not the whole image. All three are False where no click was given.
    first, final: P masks after the first and the last click.
    scores: (P,) the model's own estimate of the IoU of `final`.
    seconds: spent in decoding, the encoding of object windows included.
    """

    dice: NDArray[np.float64]
    iou: NDArray[np.float64]
    points: NDArray[np.float64]
    labels: NDArray[np.int64]
    unheeded: NDArray[np.bool_]
    repaired: NDArray[np.bool_]
    windowed: NDArray[np.bool_]
    first: list[BoxedMask]
    final: list[BoxedMask]
    scores: NDArray[np.float64]
    seconds: float


@dataclass(frozen=True)
class Proposal:
    """A mask that the model gave without being asked, and x, y of the positive click that it stands for."""

    answer: ObjectAnswer
    click: tuple[float, float]


def click_curve(
    view: WindowedImage,
    truth: Sequence[BoxedMask],
    clicks: int = 11,
    parts: Sequence[bool] | None = None,
    proposals: Sequence[Proposal] | None = None,
) -> ClickCurve:
    """Simulate an annotator on P objects of one encoded image (`Segmenter.windows`).

    parts: (P,) which objects are parts (`data/teeth/category_kind.py`), so that their first click prefers one. Only
    object windows have the choice.
    proposals: (P,) what stands in place of the first click and its answer; the second click is then the first that
    the annotator gives.

    The first click goes to the interior centre, each further one to where the last mask is most wrong at the image's
    own resolution, with the last answer fed back. An object whose mask is perfect leaves the batch and keeps its
    result. All others have the same number of clicks, so that they are decoded together.
    """
    # torch comes with it, for which a command that stops at a wrong argument should not wait.
    from dentasam.model.windows.objects import ObjectPrompt

    count = len(truth)
    dice, iou = np.zeros((count, clicks)), np.zeros((count, clicks))
    points, labels = np.zeros((count, clicks, 2)), np.full((count, clicks), -1, dtype=np.int64)
    unheeded, repaired, windowed = (np.zeros((count, clicks), bool) for _ in range(3))
    answers: dict[int, ObjectAnswer] = {}
    first: list[BoxedMask] = []
    seconds = 0.0

    active = list(range(count))
    for i, mask in enumerate(truth):
        points[i, 0] = boxed_interior_centre(mask) if proposals is None else proposals[i].click
        labels[i, 0] = 1
    for k in range(clicks):
        given = [np.column_stack([points[i, : k + 1], labels[i, : k + 1]]) for i in active]
        prompts = [
            ObjectPrompt(rows, None, answers.get(i), prefer_part=bool(parts and parts[i] and view.uses_windows))
            for i, rows in zip(active, given, strict=True)
        ]
        started = time.perf_counter()
        if k == 0 and proposals is not None:
            found = [proposal.answer for proposal in proposals]
        else:
            found = view.decode(prompts)
        seconds += time.perf_counter() - started
        answers |= zip(active, found, strict=True)
        for i, answer in zip(active, found, strict=True):
            dice[i, k:], iou[i, k:] = boxed_overlap(answer.mask, truth[i])
            unheeded[i, k] = answer.mask.at(*points[i, k]) != (labels[i, k] == 1)
            repaired[i, k] = answer.newest_repaired
            windowed[i, k] = answer.window is not None
        if k == 0:
            first = [answer.mask for answer in found]
        if k + 1 == clicks:
            break
        unfinished = []
        for i in active:
            click = boxed_correction_click(answers[i].mask, truth[i])
            if click is not None:
                points[i, k + 1], labels[i, k + 1] = click[:2], click[2]
                unfinished.append(i)
        active = unfinished
        if not active:
            break
    final = [answers[i].mask for i in range(count)]
    scores = np.array([answers[i].score for i in range(count)], dtype=np.float64)
    return ClickCurve(dice, iou, points, labels, unheeded, repaired, windowed, first, final, scores, seconds)
