"""The validation score of a recipe with object windows: objects are clicked in windows, as in use.

Dice is taken at the image's own resolution. The local repair is off, so that what the network itself learnt is
measured: the share of clicks that its masks contradict is what training is to bring down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
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
    dice, unheeded, objects = np.zeros(clicks), 0, 0
    for sample in samples:
        if sample.full is None or not len(sample.masks):
            continue
        with arithmetic(autocast, model.device):
            embedding = model.prepare(encode(sample), sample.frame)
        embedding = model.with_projections(embedding.to(dtype=model.dtype))
        image = WindowedImage(
            model, sample.full.image, embedding, WindowCache(), lambda: "in training", autocast, repair=False
        )
        own_dice, own_unheeded = _curve_of(image, sample.full, clicks)
        dice += own_dice
        unheeded += own_unheeded
        objects += len(sample.full.masks)
    return CurveSums(dice, objects, unheeded)


def _curve_of(image: WindowedImage, full: FullObjects, clicks: int) -> tuple[np.ndarray, int]:
    """Summed Dice after each click, (clicks,), and how many clicks the mask after them contradicts."""
    curve, unheeded = np.zeros(clicks), 0
    given = [np.array([[*click, 1.0]]) for click in full.clicks.astype(np.float64)]
    answers: list[ObjectAnswer | None] = [None] * len(given)
    dice = np.zeros(len(given))
    open_ = list(range(len(given)))  # a perfect mask gets no further click and keeps its result
    for click in range(clicks):
        decoded = image.decode([ObjectPrompt(given[i], None, answers[i]) for i in open_])
        left = []
        for i, answer in zip(open_, decoded, strict=True):
            answers[i] = answer
            x, y, label = given[i][-1]
            unheeded += answer.mask.at(x, y) != (label == 1)
            left_x, top, predicted, true = _in_one_box(answer.mask, full.masks[i], full.image.shape)
            dice[i] = 2 * (predicted & true).sum() / max(1, predicted.sum() + true.sum())
            found = correction_clicks(predicted[None], true[None])
            if found.found[0]:
                point = found.points[0] + (left_x, top)
                given[i] = np.concatenate([given[i], [[*point, found.labels[0]]]])
                left.append(i)
        open_ = left
        curve[click] = dice.sum()
        if not open_:
            curve[click:] = dice.sum()
            break
    return curve, int(unheeded)


def _in_one_box(
    mask: BoxedMask, truth: BoxedCoverage, shape: tuple[int, ...]
) -> tuple[int, int, np.ndarray, np.ndarray]:
    """x and y of the smallest box around a mask and the truth, cut off at the image's border, and both in it."""
    inside = truth.coverage >= INSIDE
    column, row, width, height = cv2.boundingRect(inside.view(np.uint8))
    true = BoxedMask(truth.left + column, truth.top + row, inside[row : row + height, column : column + width])
    both = [part for part in (mask, true) if part.bits.size]
    x0, y0 = max(0, min(part.x for part in both)), max(0, min(part.y for part in both))
    x1 = min(shape[1], max(part.x + part.bits.shape[1] for part in both))
    y1 = min(shape[0], max(part.y + part.bits.shape[0] for part in both))
    planes = np.zeros((2, y1 - y0, x1 - x0), bool)
    for plane, part in zip(planes, (mask, true), strict=True):
        rows, cols = max(0, y0 - part.y), max(0, x0 - part.x)
        bits = part.bits[rows : y1 - part.y, cols : x1 - part.x]
        top, left = max(0, part.y - y0), max(0, part.x - x0)
        plane[top : top + bits.shape[0], left : left + bits.shape[1]] = bits
    return x0, y0, planes[0], planes[1]
