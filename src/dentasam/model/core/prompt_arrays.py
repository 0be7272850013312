"""Clicks and boxes of P objects as arrays, as a user gives them."""

from __future__ import annotations

import numpy as np

from dentasam.errors import PromptError


def checked_clicks(clicks: np.ndarray, labels: np.ndarray, boxes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Clicks (P, k, 2) float32 and labels (P, k) int64, of objects that have a click or a box each.

    boxes: (P, 4) or None; a row of NaN is an object without a box.
    Raises PromptError for arrays of other shapes, values that are not finite, boxes with their corners in another
    order, and objects without a prompt.
    """
    points, marks = np.asarray(clicks, dtype=np.float32), np.asarray(labels, dtype=np.int64)
    if points.ndim != 3 or points.shape[2] != 2:
        raise PromptError(f"clicks must be (objects, clicks, 2) x, y, not {points.shape}")
    objects = len(points)
    if marks.shape != points.shape[:2]:
        raise PromptError(f"labels must be {points.shape[:2]}, one for each click, not {marks.shape}")
    if not np.isin(marks, (1, 0, -1)).all():
        raise PromptError("labels must be 1 (positive), 0 (negative) or -1 (no click)")
    if not np.isfinite(points[marks >= 0]).all():
        raise PromptError("clicks must be finite numbers")
    if boxes is not None and np.shape(boxes) != (objects, 4):
        raise PromptError(f"boxes must be ({objects}, 4) x0, y0, x1, y1, not {np.shape(boxes)}")
    if boxes is not None:
        x0, y0, x1, y1 = np.asarray(boxes, float).T
        turned = np.flatnonzero((x1 < x0) | (y1 < y0))
        if len(turned):
            raise PromptError(f"object {turned[0]}: a box is x0, y0, x1, y1 with x0 <= x1 and y0 <= y1")
    boxed = np.zeros(objects, dtype=bool) if boxes is None else np.isfinite(np.asarray(boxes, float)).all(axis=1)
    without = np.flatnonzero(~boxed & (marks < 0).all(axis=1))
    if len(without):
        raise PromptError(f"object {without[0]} has neither a click nor a box; give it one")
    return points, marks
