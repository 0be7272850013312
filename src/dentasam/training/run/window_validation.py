"""The validation score of a recipe with object windows: objects are clicked in windows, as in use.

Dice is taken at the image's own resolution. The local repair is off, so that what the network itself learnt is
measured: the share of clicks that its masks contradict is what training is to bring down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch

from dentasam.model.core.precision import arithmetic
from dentasam.model.embedding import EncoderOutput
from dentasam.model.sam_hq import SamHQ
from dentasam.model.windows.objects import ObjectAnswer, ObjectPrompt
from dentasam.model.windows.window import BoxedMask
from dentasam.model.windows.window_cache import WindowCache
from dentasam.model.windows.windowed_image import WindowedImage
from dentasam.prompts.correction_clicks import correction_clicks
from dentasam.training.run.validation import CurveSums
from dentasam.training.samples.boxed_coverage import BoxedCoverage
from dentasam.training.samples.full_image import INSIDE, FullObjects
from dentasam.training.samples.sample import Sample


@torch.no_grad()
def window_curve(
    model: SamHQ,
    samples: Iterator[Sample],
    clicks: int,
    encode: Callable[[Sample], EncoderOutput],
    autocast: torch.dtype | None = None,
) -> CurveSums:
    """Click through all samples, which have their objects at full size; see `click_curve`."""
    sums = CurveSums(np.zeros(clicks), 0)
    for sample in samples:
        if sample.full is None or not len(sample.masks):
            continue
        with arithmetic(autocast, model.device):
            embedding = model.prepare(encode(sample), sample.frame)
        embedding = model.with_projections(embedding.to(dtype=model.dtype))
        image = WindowedImage(
            model, sample.full.image, embedding, WindowCache(), lambda: "in training", autocast, repair=False
        )
        own = _curve_of(image, sample.full, clicks)
        sums = CurveSums(
            sums.dice + own.dice,
            sums.objects + own.objects,
            sums.unheeded + own.unheeded,
            sums.given + own.given,
        )
    return sums


def _curve_of(image: WindowedImage, full: FullObjects, clicks: int) -> CurveSums:
    """Click through the objects of one image; a perfect mask gets no further click."""
    curve, unheeded, clicked = np.zeros(clicks), 0, 0
    given = [np.array([[*click, 1.0]]) for click in full.clicks.astype(np.float64)]
    answers: list[ObjectAnswer | None] = [None] * len(given)
    truth = [_truth(coverage) for coverage in full.masks]
    dice = np.zeros(len(given))
    open_ = list(range(len(given)))  # a perfect mask gets no further click and keeps its result
    for click in range(clicks):
        decoded = image.decode([ObjectPrompt(given[i], None, answers[i]) for i in open_])
        clicked += len(open_)
        left = []
        for i, answer in zip(open_, decoded, strict=True):
            answers[i] = answer
            x, y, label = given[i][-1]
            unheeded += answer.mask.at(x, y) != (label == 1)
            x0, y0, predicted, true = answer.mask.in_joint_box(truth[i])
            dice[i] = 2 * (predicted & true).sum() / max(1, predicted.sum() + true.sum())
            found = correction_clicks(predicted[None], true[None])
            if found.found[0]:
                point = found.points[0] + (x0, y0)
                given[i] = np.concatenate([given[i], [[*point, found.labels[0]]]])
                left.append(i)
        open_ = left
        curve[click] = dice.sum()
        if not open_:
            curve[click:] = dice.sum()
            break
    return CurveSums(curve, len(given), int(unheeded), clicked)


def _truth(coverage: BoxedCoverage) -> BoxedMask:
    return BoxedMask(coverage.left, coverage.top, coverage.coverage >= INSIDE).tight()
