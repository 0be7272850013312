"""Masks and clicks drawn on a radiograph, as small pictures for the reports.

The truth is blue and the prediction orange (`data/images/pictures.py`). A positive click is a `+` on green, a
negative one a `-` on dark red, so that its sign can be read without colour.
"""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dentasam.data.images.pictures import Colour, Image, coloured, outline, resized
from dentasam.data.images.strips import strips
from dentasam.data.masks import rle
from dentasam.evaluation.result import ObjectResult, Rle

Box = tuple[int, int, int, int]

POSITIVE: Colour = (0, 158, 115)
NEGATIVE: Colour = (170, 40, 20)
# neighbours in a row of teeth get different fills
FILLS: tuple[Colour, ...] = ((86, 180, 233), (230, 159, 0), (0, 158, 115), (204, 121, 167), (240, 228, 66))


def decoded(code: Rle | None, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """A COCO RLE as a mask (H, W) of that shape; None is the empty mask. Raises ValueError where it does not fit."""
    mask = np.zeros(shape, dtype=bool)
    if code is not None:
        (runs,) = rle.runs_of([code["counts"]])
        if runs is None or runs.sum() != mask.size:
            raise ValueError(f"RLE does not fit a mask of {shape}")
        rle.decode_into(mask, runs)
    return mask


def close_up_box(truth: NDArray[np.bool_], item: ObjectResult, aspect: float = 1.0) -> Box:
    """Left, top, right, bottom around an object and its clicks, with surroundings, inside the image.

    The prediction does not count: the object must be visible even where the prediction covers the whole image.
    """
    height, width = truth.shape
    rows, cols = np.flatnonzero(truth.any(axis=1)), np.flatnonzero(truth.any(axis=0))
    xs = [float(cols[0]), float(cols[-1]), *(x for x, _ in item.points)]
    ys = [float(rows[0]), float(rows[-1]), *(y for _, y in item.points)]
    tall = max(1.6 * (max(ys) - min(ys)), 1.6 * (max(xs) - min(xs)) / aspect, 48)
    tall = min(tall, height, width / aspect)
    left = min(max((max(xs) + min(xs) - tall * aspect) / 2, 0), width - tall * aspect)
    top = min(max((max(ys) + min(ys) - tall) / 2, 0), height - tall)
    return int(left), int(top), int(left + tall * aspect), int(top + tall)


def close_up(
    image: Image,
    box: Box,
    outlines: Sequence[tuple[NDArray[np.bool_], Colour]] = (),
    item: ObjectResult | None = None,
    clicks: int | None = None,
    width: int = 320,
) -> Image:
    """The part of an image (H, W) in a box, enlarged to `width`, as (h, width, 3) RGB.

    outlines: masks (H, W) to draw, each with its colour. item: its first `clicks` clicks are drawn; all for None.
    """
    left, top, right, bottom = box
    scale = width / (right - left)
    size = (width, max(1, round((bottom - top) * scale)))
    inside = slice(top, bottom), slice(left, right)
    canvas = coloured(cv2.resize(image[inside], size, interpolation=cv2.INTER_CUBIC))
    for mask, colour in outlines:
        smooth = cv2.resize(mask[inside].astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
        outline(canvas, smooth >= 0.5, colour, thickness=2)
    if item is not None:
        shown = list(zip(item.points, item.labels, strict=True))[:clicks]
        for (x, y), label in shown:
            _draw_click(canvas, ((x + 0.5 - left) * scale, (y + 0.5 - top) * scale), label == 1)
    return canvas


def whole_image(image: Image, masks: Iterable[NDArray[np.bool_]], width: int = 640) -> Image:
    """An image (H, W) with all its masks (H, W) filled and outlined, one at a time. Returns (h, width, 3) RGB."""
    canvas = resized(image, width)
    size = width, canvas.shape[0]
    for i, mask in enumerate(masks):
        inside = mask
        if mask.shape != canvas.shape[:2]:
            inside = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) >= 0.5
        fill = np.array(FILLS[i % len(FILLS)], dtype=np.float32)
        pixels, chosen = canvas.reshape(-1, 3), inside.reshape(-1)
        for strip in strips(len(chosen)):
            part, filled = pixels[strip], chosen[strip]
            part[filled] = (0.65 * part[filled] + 0.35 * fill).astype(np.uint8)
        outline(canvas, inside, FILLS[i % len(FILLS)], thickness=1)
    return canvas


def _draw_click(canvas: NDArray[np.uint8], centre: tuple[float, float], positive: bool) -> None:
    x, y = round(centre[0]), round(centre[1])
    cv2.circle(canvas, (x, y), 8, (255, 255, 255), -1, cv2.LINE_AA)
    cv2.circle(canvas, (x, y), 7, POSITIVE if positive else NEGATIVE, -1, cv2.LINE_AA)
    cv2.line(canvas, (x - 4, y), (x + 4, y), (255, 255, 255), 2)
    if positive:
        cv2.line(canvas, (x, y - 4), (x, y + 4), (255, 255, 255), 2)
