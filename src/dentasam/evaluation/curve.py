"""The click curve: how well a segmenter's masks of an image's objects fit after each simulated click."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dentasam.evaluation.metrics import overlap
from dentasam.prompts.correction_clicks import correction_clicks, interior_centre

if TYPE_CHECKING:
    from dentasam.model.embedding import ImageEmbedding
    from dentasam.model.segmenter import Segmenter


@dataclass(frozen=True)
class ClickCurve:
    """P objects over k clicks.

    dice, iou: (P, k).
    points: (P, k, 2) x, y in image pixels. labels: (P, k), 1 or 0, -1 where no further click was needed.
    first, final: (P, H, W) masks after the first and the last click.
    scores: (P,) the model's own estimate of the IoU of `final`.
    seconds: spent in the decoder.
    """

    dice: NDArray[np.float64]
    iou: NDArray[np.float64]
    points: NDArray[np.float64]
    labels: NDArray[np.int64]
    first: NDArray[np.bool_]
    final: NDArray[np.bool_]
    scores: NDArray[np.float64]
    seconds: float


def click_curve(
    segmenter: "Segmenter", embedding: "ImageEmbedding", truth: NDArray[np.bool_], clicks: int = 11
) -> ClickCurve:
    """Simulate an annotator on P objects (P, H, W) of one encoded image.

    The first click goes to the interior centre, each further one to where the last mask is most wrong at the image's
    own resolution, with the last mask's logits fed back. An object whose mask is perfect leaves the batch and keeps
    its result. All others have the same number of clicks, so that no list of points needs padding, which would change
    the masks slightly.
    """
    count = len(truth)
    dice, iou = np.zeros((count, clicks)), np.zeros((count, clicks))
    points, labels = np.zeros((count, clicks, 2)), np.full((count, clicks), -1, dtype=np.int64)
    final = np.zeros(truth.shape, dtype=bool)
    first = final
    estimates = np.zeros(count)
    seconds = 0.0

    active = np.arange(count)
    logits: NDArray[np.float32] | None = None
    points[:, 0], labels[:, 0] = interior_centre(truth), 1
    for k in range(clicks):
        started = time.perf_counter()
        prediction = segmenter.predict(embedding, points[active, : k + 1], labels[active, : k + 1], logits=logits)
        seconds += time.perf_counter() - started
        final[active] = prediction.masks
        estimates[active] = prediction.scores
        after = overlap(prediction.masks, truth[active])
        dice[active, k:], iou[active, k:] = after[0][:, None], after[1][:, None]
        if k == 0:
            first = final.copy()
        if k + 1 == clicks:
            break
        correction = correction_clicks(prediction.masks, truth[active])
        active = active[correction.found]
        if not active.size:
            break
        points[active, k + 1] = correction.points[correction.found]
        labels[active, k + 1] = correction.labels[correction.found]
        logits = prediction.logits[correction.found]
    return ClickCurve(dice, iou, points, labels, first, final, estimates, seconds)
