"""The object windows of a training step, cut from the images at full size after the model's own first answers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

import cv2
import numpy as np
import torch
from torch import Tensor

from dentasam.model.core.frame import LOGIT_STRIDE, Frame
from dentasam.model.core.prompt import PromptLayout, Prompts
from dentasam.model.sam_hq import SamHQ
from dentasam.model.windows.placement import Box
from dentasam.model.windows.window import OUTSIDE_LOGIT, Window
from dentasam.training.object_windows.drawn_window import HEIGHT, WIDTH, DrawnWindow, draw_window, view_of
from dentasam.training.object_windows.first_answers import first_answers
from dentasam.training.recipe.sections import Augmentation, ObjectWindows
from dentasam.training.samples.area_warp import area_warp, chained, inverse, mapped
from dentasam.training.samples.boxed_coverage import BoxedCoverage
from dentasam.training.samples.encoding import Encoding
from dentasam.training.samples.exposure import draw_exposure, exposed
from dentasam.training.samples.full_image import INSIDE, FullObjects
from dentasam.training.samples.sample import Sample
from dentasam.training.step.given_prompts import GivenPrompts

# Clicks are placed on a grid this much finer than the logits: people click on pixels.
CLICK_FINENESS = 2
# The frame that every object window has.
FRAME = Window(0.0, 0.0, 1.0, HEIGHT, WIDTH).frame


@dataclass(frozen=True)
class WindowBatch:
    """P object windows, each with one object: pixels (P, 3, 384, 256), masks P times (1, 96, 64)."""

    pixels: Tensor
    masks: list[Tensor]
    given: GivenPrompts


@dataclass(frozen=True)
class _Cut:
    """What one window shows: gray (384, 256), truth 0 or 1 (192, 128), coverage (96, 64), and its prompts there."""

    gray: np.ndarray
    truth: np.ndarray
    coverage: np.ndarray
    point: np.ndarray
    box: np.ndarray
    logits: np.ndarray


@dataclass(frozen=True)
class _View:
    """An image with P objects as the model sees it whole, and its answers to the first prompts.

    frame: of the view. clicks: (P, 2), and boxes, in its pixels. logits: (P, 4 rows, 4 cols); scores: (P,).
    """

    full: FullObjects
    frame: Frame
    clicks: np.ndarray
    boxes: list[Box]
    logits: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, model: SamHQ, encoding: Encoding, sample: Sample, by_box: bool) -> _View:
        full = sample.full
        assert full is not None
        clicks = mapped(full.clicks, full.to_frame)
        boxes = [_box(mask, full.to_frame) for mask in full.masks]
        corners = np.array(boxes, np.float64) - 0.5 if by_box else None
        logits, scores = first_answers(model, encoding, sample, clicks, corners)
        return cls(full, view_of(sample.frame), clicks, boxes, logits, scores)

    def cuts(
        self, settings: ObjectWindows, by_box: bool, augmentation: Augmentation, rng: np.random.Generator
    ) -> list[_Cut]:
        """A window for each object, in their order."""
        full, cuts = self.full, []
        for place, (mask, box) in enumerate(zip(full.masks, self.boxes, strict=True)):
            answer, score, click = self.logits[place], float(self.scores[place]), self.clicks[place]
            drawn = draw_window(answer, score, click, box, by_box, self.frame, settings, rng)
            cuts.append(_cut(full, mask, full.clicks[place], answer, drawn, augmentation, rng))
        return cuts


def window_batch(
    model: SamHQ,
    encoding: Encoding,
    samples: Sequence[Sample],
    settings: ObjectWindows,
    by_box: bool,
    augmentation: Augmentation,
    rngs: Sequence[np.random.Generator],
) -> WindowBatch:
    """A window for each object of the samples. rngs: for each sample, what is drawn for its windows.

    by_box: the first prompt of every object is its box, with the answer to it, instead of a click.
    augmentation: how each window is exposed, by itself.
    """
    views = [_View.of(model, encoding, sample, by_box) for sample in samples]
    # An image a thread: OpenCV and NumPy let others work, and a GPU would wait for a single one.
    with ThreadPoolExecutor(min(len(views), os.cpu_count() or 1)) as threads:
        of_images = [
            threads.submit(view.cuts, settings, by_box, augmentation, rng)
            for view, rng in zip(views, rngs, strict=True)
        ]
        cuts = list(chain.from_iterable(cut.result() for cut in of_images))
    device = model.device
    pixels = torch.cat([FRAME.normalised(torch.from_numpy(cut.gray)) for cut in cuts]).to(device)
    coverage = torch.from_numpy(np.stack([cut.coverage for cut in cuts])).to(device)
    points = torch.from_numpy(np.stack([cut.point for cut in cuts]).astype(np.float32))[:, None]
    prompts = Prompts(
        points,
        torch.full(points.shape[:2], -1 if by_box else 1, dtype=torch.long),
        torch.from_numpy(np.stack([cut.box for cut in cuts]).astype(np.float32)) if by_box else None,
        torch.from_numpy(np.stack([cut.logits for cut in cuts])),
        torch.arange(len(cuts)),
        PromptLayout(1, box=True, mask=True) if by_box else None,
    )
    truth = torch.from_numpy(np.stack([cut.truth for cut in cuts])).to(device)
    return WindowBatch(pixels, list(coverage[:, None]), GivenPrompts(prompts.to(device), truth))


def _cut(
    full: FullObjects,
    mask: BoxedCoverage,
    click: np.ndarray,
    answer: np.ndarray,
    drawn: DrawnWindow,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> _Cut:
    to_image = chained(drawn.matrix, inverse(full.to_frame))
    gray = area_warp(full.image, to_image, HEIGHT, WIDTH).astype(np.float32)
    if full.image.dtype == np.uint16:
        gray *= np.float32(255 / 65535)
    truth, coverage = truth_in(mask, to_image)
    from_image, origin = inverse(to_image), np.array(FRAME.origin)
    box = _box(mask, from_image)
    logits = np.full(FRAME.logits, np.nan, np.float32)
    if drawn.fed_back:
        logits = logits_in(answer, drawn.matrix)
    corners = np.array(box) - 0.5 + np.tile(origin, 2)
    gray = exposed(gray, draw_exposure(augmentation, rng))
    return _Cut(gray, truth, coverage, mapped(click, from_image) + origin, corners, logits)


def truth_in(mask: BoxedCoverage, to_image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A mask of the image in a window: where clicks may lie, (192, 128) bool, and coverage 0..1, (96, 64) float32.

    to_image: (2, 3) from window to image pixels.
    """
    shifted = to_image - np.array([[0.0, 0.0, mask.left], [0.0, 0.0, mask.top]])
    inside = area_warp(mask.coverage, shifted, HEIGHT, WIDTH, cv2.BORDER_CONSTANT) >= INSIDE
    rows, cols = FRAME.logits
    coverage: np.ndarray = cv2.resize(inside.astype(np.float32), (cols, rows), interpolation=cv2.INTER_AREA)
    step = LOGIT_STRIDE // CLICK_FINENESS
    coarser = shifted * np.array([step, step, 1.0])
    fine = area_warp(mask.coverage, coarser, rows * CLICK_FINENESS, cols * CLICK_FINENESS, cv2.BORDER_CONSTANT)
    return fine >= INSIDE, coverage


def logits_in(answer: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The whole image's logits (4 rows, 4 cols) at those of a window, (96, 64), see `LogitGrid.resampled`.

    matrix: (2, 3) from window to frame pixels.
    """
    centred = np.column_stack([matrix[:, :2], matrix[:, :2] @ (0.5, 0.5) + matrix[:, 2] / LOGIT_STRIDE - 0.5])
    resampled: np.ndarray = cv2.warpAffine(
        answer,
        centred,
        FRAME.logits[::-1],
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=OUTSIDE_LOGIT,
    )
    return resampled


def _box(mask: BoxedCoverage, matrix: np.ndarray) -> Box:
    """The box of a mask in other pixels, outer edges: around the mapped corners of its own."""
    x, y, width, height = cv2.boundingRect((mask.coverage >= INSIDE).view(np.uint8))
    left, top = mask.left + x, mask.top + y
    corners = np.array([(left, top), (left + width, top), (left, top + height), (left + width, top + height)])
    moved = mapped(corners - 0.5, matrix) + 0.5
    return Box(*moved.min(axis=0).tolist(), *moved.max(axis=0).tolist())
