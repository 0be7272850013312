"""What a box means in a window: where the window lies, and one positive click on the object.

The box gives the window its place and its size, so that inside it a box says little more than that the object lies in
the middle. Weights that were not trained on boxes in windows take a click there far better: the first masks of boxes
around 28 teeth of two of UFBA's validation images had a mean Dice of 0.73 with the box and 0.88 with the click.
"""

from __future__ import annotations

import cv2
import numpy as np

from dentasam.model.windows.window import Window

# A negative click says nothing good of the mask within this many logits of it.
REACH = 8


def box_click(
    box: tuple[float, float, float, float], clicks: np.ndarray, logits: np.ndarray | None, window: Window
) -> np.ndarray:
    """The click that stands for a box, (1, 3) x, y, 1 in image pixels; (0, 3) where negative clicks leave no place.

    It is the box's middle if the earlier mask holds it, as a rule; of a curved object it is the place deepest inside
    the mask. The mask counts except around negative clicks.

    clicks: (k, 3) x, y, label of the object. logits: (h, w), the earlier mask's in the window, or None.
    """
    grid = window.grid
    middle = np.array([(box[0] + box[2] - 1) / 2, (box[1] + box[3] - 1) / 2])
    refused = np.zeros(window.logits, np.uint8)
    for x, y, label in clicks:
        if label == 0 and window.holds(float(x), float(y)):
            column, row = np.rint(grid.index_of(np.array([x, y]))).astype(int)
            cv2.circle(refused, (int(column), int(row)), REACH, 1, -1)
    # A margin of nothing: the mask also ends at the window's edge.
    free = np.zeros((refused.shape[0] + 2, refused.shape[1] + 2), np.uint8)
    if logits is not None:
        free[1:-1, 1:-1] = (logits > 0) & (refused == 0)
    column, row = np.rint(grid.index_of(middle)).astype(int)
    inside = 0 <= row < refused.shape[0] and 0 <= column < refused.shape[1]
    if free.any() and not (inside and free[row + 1, column + 1]):
        deepest = np.unravel_index(
            cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE).argmax(), free.shape
        )
        index = np.array([deepest[1] - 1, deepest[0] - 1])
        at = (index + 0.5) * (grid.width, grid.height) + (grid.x, grid.y) - 0.5
    elif inside and not refused[row, column]:
        at = middle
    else:
        return np.zeros((0, 3), np.float32)
    return np.array([[*at, 1.0]], np.float32)
