"""The first click and the correction click, batched over objects; one rule for training, evaluation and annotator.

A click is put at the interior centre of a region: the peak of its distance transform, the pixel farthest from the
region's edge (the image's border counts as an edge). Regions are found inside each object's bounding box only.
Ties fall to the first in reading order: of equally deep pixels, and of equally large regions of one kind. A missed
region goes before a surplus one of its size. `tensor_clicks.py` holds the same rules for masks on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dentasam.errors import PromptError


@dataclass(frozen=True)
class Clicks:
    """One click for each of P objects.

    points: (P, 2) float32 x, y in pixels of the masks.
    labels: (P,) int64, 1 in a missed region, 0 in a surplus region.
    found: (P,) bool, False where prediction and truth agree and no click is needed.
    """

    points: np.ndarray
    labels: np.ndarray
    found: np.ndarray


def interior_centre(masks: np.ndarray) -> np.ndarray:
    """The interior centre of each mask.

    masks: (P, h, w) bool. Returns (P, 2) float32 x, y. Of equally deep pixels the first in reading order is taken.
    Raises `PromptError` for an empty mask, which has no interior.
    """
    points = np.empty((len(masks), 2), dtype=np.float32)
    for index, mask in enumerate(masks):
        x, y, region = _cropped(mask)
        if region.size == 0:
            raise PromptError(f"object {index} has an empty mask, so it has no interior to click")
        column, row = _deepest(region)
        points[index] = x + column, y + row
    return points


def correction_clicks(
    prediction: np.ndarray, truth: np.ndarray, draws: np.random.Generator | np.ndarray | None = None
) -> Clicks:
    """Where to click next: positive in a missed region, negative in a surplus region.

    prediction, truth: (P, h, w) bool. Without `draws`, as in evaluation, the click is the interior centre of the
    larger of the largest missed and the largest surplus region (4-connected components by area). With `draws`, as in
    training (Kirillov et al., 2023), a region is drawn with its area as weight and a pixel uniformly inside it,
    which is the same as a uniform draw from all wrong pixels. `draws` is a generator, or (P,) numbers of its
    `random()`, so that an object's click does not depend on which others are asked with it.
    """
    if prediction.shape != truth.shape:
        raise PromptError(f"prediction {prediction.shape} and truth {truth.shape} differ in shape")
    shares = draws.random(len(truth)) if isinstance(draws, np.random.Generator) else draws
    points = np.zeros((len(truth), 2), dtype=np.float32)
    labels = np.zeros(len(truth), dtype=np.int64)
    found = np.zeros(len(truth), dtype=bool)
    for index, (predicted, true) in enumerate(zip(prediction, truth, strict=True)):
        x, y, wrong = _cropped(predicted != true)
        if wrong.size == 0:
            continue
        found[index] = True
        inside = true[y : y + wrong.shape[0], x : x + wrong.shape[1]]
        column, row = _centre_of_worst(wrong, inside) if shares is None else _drawn(wrong, shares[index])
        points[index] = x + column, y + row
        labels[index] = int(inside[row, column])
    return Clicks(points, labels, found)


def _cropped(mask: np.ndarray) -> tuple[int, int, np.ndarray]:
    """x, y and content of the mask's bounding box; empty content for an empty mask."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8) if mask.flags.c_contiguous else mask.astype(np.uint8))
    return x, y, mask[y : y + height, x : x + width]


def _centre_of_worst(wrong: np.ndarray, inside: np.ndarray) -> tuple[int, int]:
    regions = [_largest(wrong & inside), _largest(wrong & ~inside)]
    area, region = max(regions, key=lambda pair: pair[0])
    assert area > 0
    column, row = _deepest(region)
    return column, row


def _largest(mask: np.ndarray) -> tuple[int, np.ndarray]:
    """Area and mask of the largest 4-connected component."""
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count < 2:
        return 0, mask
    areas = statistics[1:, cv2.CC_STAT_AREA]
    best = int(areas.argmax())
    return int(areas[best]), labels == best + 1


def _deepest(region: np.ndarray) -> tuple[int, int]:
    """Column and row of the pixel farthest from the region's edge."""
    padded = cv2.copyMakeBorder(region.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # OpenCV's roots of equal squares may differ in their last bit; the squares are whole numbers
    row, column = divmod(int(np.rint(distance * distance).argmax()), distance.shape[1])
    return column - 1, row - 1


def _drawn(wrong: np.ndarray, share: float) -> tuple[int, int]:
    pixels = np.flatnonzero(wrong)
    row, column = divmod(int(pixels[int(share * len(pixels))]), wrong.shape[1])
    return column, row
