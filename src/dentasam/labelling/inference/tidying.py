"""Removes small islands and holes from the model's masks; what the annotator painted, erased or clicked on stays.

A click's mask often has a few stray pixels beside the object or small gaps within it. The label schema says how small
a part must be to be removed.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from dentasam.labelling.inference.hand_edits import crop
from dentasam.labelling.inference.requests import Click
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.workspace.tidy_sizes import DEFAULT_TIDY, Tidy
from dentasam.model.windows.boxed_mask import clicked_pixel


def tidied(
    mask: BoxMask,
    sizes: Tidy = DEFAULT_TIDY,
    *,
    clicks: Sequence[Click] = (),
    painted: BoxMask | None = None,
    erased: BoxMask | None = None,
    filled: BoxMask | None = None,
) -> BoxMask:
    """The mask without its small islands and holes.

    An island is an 8-connected part other than the largest, a hole a 4-connected part of the ground that the mask
    encloses.

    A part stays if pixels of it were painted (erased) by hand, or if a positive (negative) click lies in it.

    filled: a mask that a hole must not lie in: one that lies mostly in it is filled whatever its size.
    """
    mask = mask.tight()
    if mask.pixels == 0:
        return mask
    sizes = sizes.with_defaults(DEFAULT_TIDY)
    # A border of ground, so that every gap at the edge of the box is joined to the outside.
    x0, y0 = mask.x - 1, mask.y - 1
    box = (x0, y0, mask.x + mask.width + 1, mask.y + mask.height + 1)
    bits = np.pad(mask.bits, 1)

    count, parts, areas = _parts(bits, 8)
    largest = 1 + int(areas[1:].argmax())
    if count > 2:
        goes = areas < _pixels(sizes.islands, int(areas[largest]))
        goes[[0, largest]] = False
        goes[_intended(parts, clicks, 1, painted, box)] = False
        bits &= ~goes[parts]

    count, parts, areas = _parts(~bits, 4)
    goes = areas < _pixels(sizes.holes, int(np.count_nonzero(bits)))
    if filled is not None:
        known = np.bincount(parts[crop(filled, *box)], minlength=count)
        goes |= 2 * known > areas
    goes[[0, parts[0, 0]]] = False
    goes[_intended(parts, clicks, 0, erased, box)] = False
    bits |= goes[parts]
    return BoxMask(x0 + 1, y0 + 1, bits[1:-1, 1:-1]).tight()


def _parts(bits: np.ndarray, connectivity: int) -> tuple[int, np.ndarray, np.ndarray]:
    """Connected parts: how many with what is not set, each pixel's part (0: not set), and their areas."""
    count, parts, figures, _ = cv2.connectedComponentsWithStats(bits.astype(np.uint8), connectivity=connectivity)
    return count, parts, figures[:, cv2.CC_STAT_AREA]


def _pixels(size: float | None, area: int) -> float:
    size = size or 0.0
    return size * area if size < 1 else size


def _intended(
    parts: np.ndarray, clicks: Sequence[Click], label: int, edited: BoxMask | None, box: tuple[int, int, int, int]
) -> np.ndarray:
    """The numbers of the parts that the annotator meant: by a click of this label, or by hand."""
    x0, y0, x1, y1 = box
    places = [clicked_pixel(x, y) for x, y, given in clicks if given == label]
    meant = [int(parts[row - y0, column - x0]) for column, row in places if x0 <= column < x1 and y0 <= row < y1]
    if edited is not None:
        meant += np.unique(parts[crop(edited, *box)]).tolist()
    return np.array(meant, int)
