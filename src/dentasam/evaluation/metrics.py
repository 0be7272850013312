"""How well a predicted mask fits the truth: overlap, boundary, and the number of clicks it took.

Empty masks get finite values, so that a mean over objects always exists and JSON can hold it:

========================  ====  ===  ==================  ===
prediction, truth         Dice  IoU  HD95                NSD
========================  ====  ===  ==================  ===
both empty                1     1    0                   1
one of the two empty      0     0    image's diagonal    0
========================  ====  ===  ==================  ===
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dentasam.model.windows.boxed_mask import BoxedMask

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


def boxed_overlap(prediction: BoxedMask, truth: BoxedMask) -> tuple[float, float]:
    """Dice and IoU of one predicted mask with the true one, each in its box."""
    common = np.count_nonzero(_shared(prediction, truth) & _shared(truth, prediction))
    total = np.count_nonzero(prediction.bits) + np.count_nonzero(truth.bits)
    return (2 * common / total, common / (total - common)) if total else (1.0, 1.0)


def _shared(mask: BoxedMask, other: BoxedMask) -> NDArray[np.bool_]:
    """The part of a mask that lies in the other's box as well."""
    x0, y0 = max(mask.x, other.x), max(mask.y, other.y)
    x1 = min(mask.x + mask.bits.shape[1], other.x + other.bits.shape[1])
    y1 = min(mask.y + mask.bits.shape[0], other.y + other.bits.shape[0])
    if x1 <= x0 or y1 <= y0:
        return np.zeros((0, 0), bool)
    part: NDArray[np.bool_] = mask.bits[y0 - mask.y : y1 - mask.y, x0 - mask.x : x1 - mask.x]
    return part


@dataclass(frozen=True)
class SurfaceFit:
    """hd95: 95 % Hausdorff distance in px; nsd: shares (0..1) of both boundaries within each tolerance."""

    hd95: float
    nsd: tuple[float, ...]


def surface_fit(
    prediction: NDArray[np.bool_], truth: NDArray[np.bool_], tolerances: Sequence[float] = (2.0,)
) -> SurfaceFit:
    """Boundary fit of one mask (H, W), distances and tolerances in image pixels.

    A boundary pixel is a mask pixel with one of its four neighbours outside. HD95 is the greater of the two
    directed 95 % quantiles; surface Dice (NSD) counts boundary pixels. Both equal MONAI's
    ``compute_hausdorff_distance(percentile=95)`` and ``compute_surface_dice``; NSD is from Nikolov et al.,
    https://arxiv.org/abs/1809.04430.
    """
    predicted, true = (BoxedMask(0, 0, np.ascontiguousarray(mask, bool)).tight() for mask in (prediction, truth))
    height, width = truth.shape
    return boxed_surface_fit(predicted, true, (height, width), tolerances)


def boxed_surface_fit(
    prediction: BoxedMask, truth: BoxedMask, size: tuple[int, int], tolerances: Sequence[float] = (2.0,)
) -> SurfaceFit:
    """`surface_fit` of masks in boxes; size: height and width of the image."""
    _, _, predicted, true = prediction.in_joint_box(truth)
    if not predicted.any() or not true.any():
        if predicted.any() == true.any():
            return SurfaceFit(0.0, (1.0,) * len(tolerances))
        return SurfaceFit(float(np.hypot(*size)), (0.0,) * len(tolerances))
    edge_p, edge_t = _boundary(predicted), _boundary(true)
    to_truth = _distance_to(edge_t)[edge_p]
    to_prediction = _distance_to(edge_p)[edge_t]
    hd95 = max(np.percentile(to_truth, 95), np.percentile(to_prediction, 95))
    near = (np.count_nonzero(to_truth <= t) + np.count_nonzero(to_prediction <= t) for t in tolerances)
    return SurfaceFit(float(hd95), tuple(count / (to_truth.size + to_prediction.size) for count in near))


def clicks_needed(fit: NDArray[np.float64], threshold: float) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """NoC: the clicks each object needed to reach an IoU or a Dice, and which objects never did.

    As usual in interactive segmentation (Sofiiuk et al., https://arxiv.org/abs/2102.06583), an object that never
    reaches it counts with all of its clicks. That paper's threshold is on IoU.

    fit: (P, k) after each click; threshold: 0..1. Returns clicks (P,) in 1..k and failed (P,).
    """
    reached = fit >= threshold
    failed = np.logical_not(reached.any(axis=1))
    return np.where(failed, fit.shape[1], reached.argmax(axis=1) + 1), failed


def _boundary(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    # Everything outside the box, or the image, is background: a mask that the image's edge cuts off ends there.
    inner = cv2.erode(mask.astype(np.uint8), CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return mask & (inner == 0)


def _distance_to(edge: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Exact Euclidean distance in px of every pixel to the nearest edge pixel, same shape as edge."""
    distance = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance, dtype=np.float32)
