"""An image at its own resolution with its objects, from which object windows are cut.

The whole image that the model sees first may be moved: an augmented or rotated view. `FullObjects.to_frame` says
where its pixels lie there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from dentasam.model.core.frame import Frame
from dentasam.model.core.gray_range import spread
from dentasam.prompts.correction_clicks import interior_centre
from dentasam.training.samples.boxed_coverage import BoxedCoverage, boxed
from dentasam.training.samples.exposure import Exposure, processed_image

# A mask that loses more than this share of its area to smoothing, such as a thin filling, stays as it was drawn.
_MAX_LOSS = 0.2
# From this coverage on, of 255, a pixel is the object's.
INSIDE = 128


@dataclass(frozen=True)
class FullImage:
    """image: (H, W) uint8 or uint16, spread over its gray range. masks: coverage in boxes of image pixels."""

    image: np.ndarray
    masks: tuple[BoxedCoverage, ...]

    @classmethod
    def of(cls, image: np.ndarray, masks: np.ndarray, smooth_px: float) -> FullImage:
        """An image (H, W) uint8 or uint16 and masks (P, H, W) bool, none of them empty.

        smooth_px: standard deviation of the Gaussian that rounds off the masks' stairs; 0 for exact masks.
        """
        found = [boxed(mask.view(np.uint8), 255) for mask in masks]
        assert all(item is not None for item in found)
        return cls(spread(image), tuple(smoothed(item, smooth_px) for item in found if item is not None))

    @property
    def bytes(self) -> int:
        """Memory of the image and the masks."""
        return self.image.nbytes + sum(item.coverage.nbytes for item in self.masks)

    def objects(
        self,
        chosen: np.ndarray,
        to_frame: np.ndarray,
        random_first: float,
        rng: np.random.Generator,
        exposure: Exposure,
    ) -> FullObjects:
        """Some of the objects with their first clicks, a share of them anywhere inside, in the processed image."""
        masks = tuple(self.masks[index] for index in chosen.tolist())
        return FullObjects(
            processed_image(self.image, exposure), masks, first_clicks(masks, random_first, rng), to_frame
        )


@dataclass(frozen=True)
class FullObjects:
    """The objects of a step in their image at its own resolution.

    clicks: (P, 2) x, y in image pixels, the first click on each.
    to_frame: (2, 3), from the image to the frame of the step's view of it, both measured from the upper left corner:
    the centre of a pixel is at half numbers.
    """

    image: np.ndarray
    masks: tuple[BoxedCoverage, ...]
    clicks: np.ndarray
    to_frame: np.ndarray


def frame_matrix(frame: Frame) -> np.ndarray:
    """`FullObjects.to_frame` of an image that is resized into its frame and not moved."""
    height, width = frame.size
    return np.array([[width / frame.width, 0.0, 0.0], [0.0, height / frame.height, 0.0]])


def smoothed(mask: BoxedCoverage, sigma: float) -> BoxedCoverage:
    """The mask (0 or 255) blurred, so that its outline at half coverage has no stairs; thin masks stay so."""
    if sigma <= 0:
        return mask
    border = int(np.ceil(3 * sigma)) + 1
    padded = cv2.copyMakeBorder(mask.coverage, *(border,) * 4, cv2.BORDER_CONSTANT, value=0)
    blurred: np.ndarray = cv2.GaussianBlur(padded, (0, 0), sigma)
    before, kept = int((padded >= INSIDE).sum()), int(((blurred >= INSIDE) & (padded >= INSIDE)).sum())
    if kept < (1 - _MAX_LOSS) * before:
        return mask
    return replace(mask, top=mask.top - border, left=mask.left - border, coverage=blurred)


def first_clicks(masks: Sequence[BoxedCoverage], random_first: float, rng: np.random.Generator) -> np.ndarray:
    """The first click on each of P masks, (P, 2) x, y in image pixels; a share of them anywhere inside."""
    clicks = [_first_click(mask, bool(rng.random() < random_first), rng) for mask in masks]
    return np.array(clicks, np.float32).reshape(-1, 2)


def _first_click(mask: BoxedCoverage, anywhere: bool, rng: np.random.Generator) -> tuple[float, float]:
    """The interior centre, or a random pixel inside."""
    inside = mask.coverage >= INSIDE
    if anywhere:
        pixels = np.flatnonzero(inside)
        row, column = divmod(int(pixels[int(rng.integers(len(pixels)))]), inside.shape[1])
    else:
        column, row = interior_centre(inside[None])[0]
    return float(mask.left + column), float(mask.top + row)
