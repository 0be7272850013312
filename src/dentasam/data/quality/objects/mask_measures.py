"""What a mask shows by itself, and beside the other masks of its image: pieces, holes, the same pixels twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from dentasam.data.quality.objects.boxed_objects import BoxedObject, common_pixels, pairs_with_touching_boxes

# Two masks that agree better than two annotators do on a tooth (IoU about 0.85) are one object, drawn twice.
SAME_MASK_IOU = 0.9


def pieces_and_holes(bits: np.ndarray) -> tuple[list[int], list[int]]:
    """Pixels of each piece of a mask (h, w) bool and of each hole in it, largest first.

    Pixels that touch at a corner belong to one piece; a hole is closed where the mask's pixels touch at corners.
    """
    framed = np.pad(bits, 1).astype(np.uint8)
    outlines, _ = cv2.findContours(framed, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if len(outlines) <= 1:
        # Most masks: one piece without a hole, which needs no count.
        return [int(np.count_nonzero(bits))] * len(outlines), []
    found: tuple[list[int], list[int]] = [], []
    for kind, value, connectivity in ((0, framed, 8), (1, 1 - framed, 4)):
        count, _, parts, _ = cv2.connectedComponentsWithStats(value, connectivity=connectivity)
        for left, top, _, _, pixels in parts[1:count].tolist():
            # The part of the ground that holds the frame's corner is not a hole.
            if kind == 0 or (left, top) != (0, 0):
                found[kind].append(pixels)
    return sorted(found[0], reverse=True), sorted(found[1], reverse=True)


def same_masks(objects: Sequence[BoxedObject]) -> Iterator[tuple[BoxedObject, BoxedObject, float]]:
    """Pairs of objects that cover the same pixels, and the IoU of their masks, above `SAME_MASK_IOU`.

    A part and a whole may do so: a crown can cover all that is seen of a tooth.
    """
    for first, second in pairs_with_touching_boxes(objects):
        small, large = sorted((first.area, second.area))
        if first.is_part != second.is_part or small <= SAME_MASK_IOU * large:
            continue
        common = common_pixels(first.mask, second.mask)
        iou = common / (first.area + second.area - common)
        if iou > SAME_MASK_IOU:
            yield first, second, iou
