"""Where the first click and each correction click of an object go.

Evaluation puts a click at the interior centre of a region: the peak of its distance transform, which is the pixel
farthest from the region's edge (the image's border counts as an edge). Of equally deep pixels, and of equally large
regions of one kind, the first in reading order is taken. A missed region goes before a surplus region of the same
size. Training may draw a random wrong pixel instead.

Here masks are arrays, as in evaluation. Training uses `tensor_correction_clicks.py`, which gives the same clicks for
masks that are tensors, also on a GPU. Which iterations of training get a click is in `click_schedule.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dentasam.errors import PromptError
from dentasam.model.windows.boxed_mask import BoxedMask


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

    masks: (P, h, w) bool. Returns (P, 2) float32 x, y. Raises `PromptError` for an empty mask, which has no interior.
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
    prediction: np.ndarray,
    truth: np.ndarray,
    draws: np.random.Generator | np.ndarray | None = None,
    centred: np.ndarray | None = None,
) -> Clicks:
    """Where to click next: positive in a missed region, negative in a surplus region.

    prediction, truth: (P, h, w) bool.
    draws: None, as in evaluation: of the largest missed and the largest surplus region (4-connected, by area) the
        larger is clicked at its interior centre. A generator, or (P,) numbers of its `random()`, as in training: a
        pixel is drawn uniformly from all wrong pixels, which is the same as a region drawn by area and a pixel inside
        it (Kirillov et al., 2023). With numbers, an object's click does not depend on the other objects of the call.
    centred: (P,) bool, which objects are clicked at the interior centre although there are draws; None for none.
    Raises `PromptError` for arrays of different shapes.
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
        if shares is None or (centred is not None and centred[index]):
            column, row = _centre_of_worst(wrong, inside)
        else:
            column, row = _drawn(wrong, shares[index])
        points[index] = x + column, y + row
        labels[index] = int(inside[row, column])
    return Clicks(points, labels, found)


def boxed_interior_centre(mask: BoxedMask) -> tuple[float, float]:
    """x, y of `interior_centre` for a mask in a box. Raises `PromptError` for an empty mask."""
    (point,) = interior_centre(mask.bits[None])
    return mask.x + float(point[0]), mask.y + float(point[1])


def boxed_correction_click(prediction: BoxedMask, truth: BoxedMask) -> tuple[float, float, int] | None:
    """x, y and label of the click of `correction_clicks` for masks in boxes; None where they agree.

    Outside both boxes the masks agree, and the edge of the wrong regions lies inside or at the box's edge as it does
    in the image. So the click is the one on the whole image, for a hundredth of the pixels.
    """
    x, y, predicted, true = prediction.in_joint_box(truth)
    click = correction_clicks(predicted[None], true[None])
    if not click.found[0]:
        return None
    return x + float(click.points[0, 0]), y + float(click.points[0, 1]), int(click.labels[0])


def _cropped(mask: np.ndarray) -> tuple[int, int, np.ndarray]:
    """x, y and content of the mask's bounding box; empty content for an empty mask."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8) if mask.flags.c_contiguous else mask.astype(np.uint8))
    return x, y, mask[y : y + height, x : x + width]


def _centre_of_worst(wrong: np.ndarray, inside: np.ndarray) -> tuple[int, int]:
    """Column and row of the interior centre of the largest wrong region; inside: the truth."""
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
    # OpenCV's roots of equal squares may differ in their last bit, so compare the squares, which are whole numbers.
    row, column = divmod(int(np.rint(distance * distance).argmax()), distance.shape[1])
    return column - 1, row - 1


def _drawn(wrong: np.ndarray, share: float) -> tuple[int, int]:
    """Column and row of the wrong pixel that comes after `share` (0..1) of all wrong pixels in reading order."""
    pixels = np.flatnonzero(wrong)
    row, column = divmod(int(pixels[int(share * len(pixels))]), wrong.shape[1])
    return column, row
