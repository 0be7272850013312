"""Radiographs and outlines on them as small pictures for reports.

Two colours of Okabe and Ito's palette, which people with any kind of colour vision can distinguish: blue for the
truth, or what is as annotated, and orange for a prediction, or what is doubtful.
"""

import base64
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dentasam.data.images.strips import converted, strips

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

TRUTH: Colour = (86, 180, 233)
PREDICTION: Colour = (230, 159, 0)


def displayable(image: NDArray[np.uint8] | NDArray[np.uint16]) -> Image:
    """(H, W) uint8 or uint16 → (H, W) uint8; 16 bits are cut at their 0.5 % and 99.5 % quantiles."""
    if image.dtype == np.uint8:
        return np.asarray(image, dtype=np.uint8)
    counts = np.zeros(65536, np.int64)
    flat = image.reshape(-1)
    for strip in strips(flat.size):
        counts += np.bincount(flat[strip], minlength=len(counts))
    low, high = (_quantile(counts, share) for share in (0.005, 0.995))
    shares = (np.arange(len(counts)) - low) / max(high - low, 1.0)
    table = (np.clip(shares, 0, 1) * 255).astype(np.uint8)
    return converted(image, np.uint8, lambda part: table[part])


def _quantile(counts: NDArray[np.int64], share: float) -> float:
    """The quantile of values 0…n - 1 that occur `counts` (n,) times, between neighbours as in `np.quantile`."""
    until = np.cumsum(counts)
    place = share * (int(until[-1]) - 1)
    below, above = np.searchsorted(until, (int(place), int(np.ceil(place))), side="right")
    return float(below + (above - below) * (place - int(place)))


def resized(image: Image, width: int) -> Image:
    """An image (H, W) as (h, width, 3) RGB, to draw on."""
    size = (width, max(1, round(image.shape[0] * width / image.shape[1])))
    return coloured(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def outline(canvas: NDArray[np.uint8], mask: NDArray[np.bool_], colour: Colour, thickness: int) -> None:
    """Draw the edges of a mask (h, w) on a picture (h, w, 3) of its size."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, contours, -1, colour, thickness, cv2.LINE_AA)


def data_uri(picture: Image) -> str:
    """(h, w, 3) RGB as a JPEG inside a `data:` address, so that a report is one file."""
    ok, data = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not ok:
        raise RuntimeError(f"OpenCV could not encode a picture of shape {picture.shape}")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def coloured(image: NDArray[Any]) -> Image:
    """A gray picture (h, w) as (h, w, 3) RGB, to draw on."""
    return np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), dtype=np.uint8)
