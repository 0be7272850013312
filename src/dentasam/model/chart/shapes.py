"""The shape of an object for the numberer: its mask as a small picture that fills its box."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from dentasam.model.windows.boxed_mask import BoxedMask

# Rows and columns: a tooth is longer than wide.
SHAPE = (24, 16)


def shapes_of(masks: Sequence[BoxedMask]) -> np.ndarray:
    """(P, 24, 16) float32: of each cell of the tight box around a mask, the share that the mask covers.

    An empty mask has no shape: 0 everywhere.
    """
    shapes = np.zeros((len(masks), *SHAPE), np.float32)
    for shape, mask in zip(shapes, masks, strict=True):
        bits = mask.tight().bits
        if bits.size:
            # An area average needs cells that are no smaller than pixels.
            repeats = [-(-cells // length) for cells, length in zip(SHAPE, bits.shape, strict=True)]
            fine = bits.repeat(repeats[0], axis=0).repeat(repeats[1], axis=1)
            shape[:] = cv2.resize(fine.astype(np.float32), SHAPE[::-1], interpolation=cv2.INTER_AREA)
    return shapes
