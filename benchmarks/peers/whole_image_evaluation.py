"""Evaluation as it was before object windows: every object on the whole image, with masks of the image's full size.

Kept for `evaluate_speed.py`: whole-image decoding in parts of 16 objects, overlap, correction clicks, surface
distances and run lengths on full-size masks, in the order in which they were computed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from dentasam.data.masks import rle
from dentasam.data.record import ImageRecord
from dentasam.evaluation.metrics import overlap
from dentasam.model.segmenter import Segmenter
from dentasam.prompts.correction_clicks import correction_clicks, interior_centre

OBJECTS_PER_CALL = 16
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=np.uint8)
Timed = Callable[..., Any]


def evaluate_image(segmenter: Segmenter, record: ImageRecord, clicks: int, timed: Timed) -> np.ndarray:
    """Dice (P, clicks) of an image's objects; timed: runs a step under the name of its part."""
    image = timed("rest", record.read)
    embedding = timed("encode", segmenter.encode, image)
    truth = timed("rest", record.masks)
    dice = [
        _click_curve(segmenter, embedding, truth[start : start + OBJECTS_PER_CALL], clicks, timed)
        for start in range(0, len(truth), OBJECTS_PER_CALL)
    ]
    return np.concatenate(dice)


def _click_curve(segmenter: Segmenter, embedding: Any, truth: np.ndarray, clicks: int, timed: Timed) -> np.ndarray:
    count = len(truth)
    dice, iou = np.zeros((count, clicks)), np.zeros((count, clicks))
    points, labels = np.zeros((count, clicks, 2)), np.full((count, clicks), -1, dtype=np.int64)
    final = np.zeros(truth.shape, dtype=bool)
    first = final
    active = np.arange(count)
    logits: np.ndarray | None = None
    points[:, 0], labels[:, 0] = timed("clicks", interior_centre, truth), 1
    for k in range(clicks):
        given = points[active, : k + 1], labels[active, : k + 1]
        prediction = timed("decode", segmenter.predict, embedding, *given, logits=logits)
        final[active] = prediction.masks
        after = timed("metrics", overlap, prediction.masks, truth[active])
        dice[active, k:], iou[active, k:] = after[0][:, None], after[1][:, None]
        if k == 0:
            first = final.copy()
        if k + 1 == clicks:
            break
        correction = timed("clicks", correction_clicks, prediction.masks, truth[active])
        active = active[correction.found]
        if not active.size:
            break
        points[active, k + 1] = correction.points[correction.found]
        labels[active, k + 1] = correction.labels[correction.found]
        logits = prediction.logits[correction.found]
    for found, once, true in zip(final, first, truth, strict=True):
        timed("metrics", _surface_fit, found, true)
        timed("metrics", np.count_nonzero, true)
        timed("metrics", _coded, once)
        timed("metrics", _coded, found)
    return dice


def _coded(mask: np.ndarray) -> str:
    return rle.to_string(rle.encode(mask), *mask.shape)


def _surface_fit(prediction: np.ndarray, truth: np.ndarray, tolerance: float = 2.0) -> tuple[float, float]:
    if not prediction.any() or not truth.any():
        same = prediction.any() == truth.any()
        return (0.0, 1.0) if same else (float(np.hypot(*truth.shape)), 0.0)
    both = prediction | truth
    rows, columns = np.flatnonzero(both.any(axis=1)), np.flatnonzero(both.any(axis=0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    edges = [_boundary(mask[box]) for mask in (prediction, truth)]
    to_truth, to_prediction = _distance_to(edges[1])[edges[0]], _distance_to(edges[0])[edges[1]]
    hd95 = max(np.percentile(to_truth, 95), np.percentile(to_prediction, 95))
    near = np.count_nonzero(to_truth <= tolerance) + np.count_nonzero(to_prediction <= tolerance)
    return float(hd95), near / (to_truth.size + to_prediction.size)


def _boundary(mask: np.ndarray) -> np.ndarray:
    inner = cv2.erode(mask.astype(np.uint8), CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(mask & (inner == 0))


def _distance_to(edge: np.ndarray) -> np.ndarray:
    return cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
