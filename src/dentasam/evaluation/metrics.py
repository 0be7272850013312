"""How well a predicted mask fits the truth: overlap, boundary, and the number of clicks it took.

Empty masks get finite values, so that a mean over objects always exists and JSON can hold it:

========================  ====  ===  ==================  ===
prediction, truth         Dice  IoU  HD95                NSD
========================  ====  ===  ==================  ===
both empty                1     1    0                   1
one of the two empty      0     0    image's diagonal    0
========================  ====  ===  ==================  ===
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=np.uint8)


def overlap(
    prediction: NDArray[np.bool_], truth: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Dice (P,) and IoU (P,) of P predicted masks (P, H, W) with the P true ones (P, H, W)."""
    dice = np.ones(len(truth))
    iou = np.ones(len(truth))
    # One object at a time: count_nonzero is vectorised on a whole boolean array, and not along an axis.
    for i, (p, t) in enumerate(zip(prediction, truth, strict=True)):
        common = np.count_nonzero(p & t)
        total = np.count_nonzero(p) + np.count_nonzero(t)
        if total:
            dice[i] = 2 * common / total
            iou[i] = common / (total - common)
    return dice, iou


@dataclass(frozen=True)
class SurfaceFit:
    """hd95: 95 % Hausdorff distance in px; nsd: share (0..1) of both boundaries within the tolerance."""

    hd95: float
    nsd: float


def surface_fit(prediction: NDArray[np.bool_], truth: NDArray[np.bool_], tolerance: float = 2.0) -> SurfaceFit:
    """Boundary fit of one mask (H, W), distances and tolerance in image pixels.

    A boundary pixel is a mask pixel with one of its four neighbours outside. HD95 is the greater of the two
    directed 95 % quantiles; surface Dice (NSD) counts boundary pixels. Both equal MONAI's
    ``compute_hausdorff_distance(percentile=95)`` and ``compute_surface_dice``; NSD is from Nikolov et al.,
    https://arxiv.org/abs/1809.04430.
    """
    if not prediction.any() or not truth.any():
        if prediction.any() == truth.any():
            return SurfaceFit(0.0, 1.0)
        return SurfaceFit(float(np.hypot(*truth.shape)), 0.0)
    box = _bounding_box(prediction | truth)
    edge_p, edge_t = _boundary(prediction[box]), _boundary(truth[box])
    to_truth = _distance_to(edge_t)[edge_p]
    to_prediction = _distance_to(edge_p)[edge_t]
    hd95 = max(np.percentile(to_truth, 95), np.percentile(to_prediction, 95))
    near = np.count_nonzero(to_truth <= tolerance) + np.count_nonzero(to_prediction <= tolerance)
    return SurfaceFit(float(hd95), near / (to_truth.size + to_prediction.size))


def clicks_needed(iou: NDArray[np.float64], threshold: float) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """NoC: the clicks each object needed to reach an IoU, and which objects never did.

    As usual in interactive segmentation (Sofiiuk et al., https://arxiv.org/abs/2102.06583), the threshold is on IoU,
    not Dice, and an object that never reaches it counts with all of its clicks.

    iou: (P, k) after each click; threshold: 0..1. Returns clicks (P,) in 1..k and failed (P,).
    """
    reached = iou >= threshold
    failed = np.logical_not(reached.any(axis=1))
    return np.where(failed, iou.shape[1], reached.argmax(axis=1) + 1), failed


def _bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)


def _boundary(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    # Everything outside the box, or the image, is background: a mask that the image's edge cuts off ends there.
    inner = cv2.erode(mask.astype(np.uint8), CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return mask & (inner == 0)


def _distance_to(edge: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Exact Euclidean distance in px of every pixel to the nearest edge pixel, same shape as edge."""
    distance = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance, dtype=np.float32)
