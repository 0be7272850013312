"""How the jaws lie in the image: as in one clinic, or as in films of any device and of patients placed badly."""

from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dentasam.data.phantom.scene import Geometry, Mask

Layout = Literal["usual", "any"]
LAYOUTS: tuple[str, ...] = get_args(Layout)
# Width of both dental arches in panoramic heights, before zoom and squeeze.
_ARCH = 1.18


def draw_any_layout(rng: np.random.Generator, geometry: Geometry) -> Geometry:
    """The geometry with another zoom, place, turn, stretch and bend; some jaws are cut off at an edge."""
    height, width, unit = geometry.height, geometry.width, geometry.unit
    zoom = float(np.exp(rng.uniform(np.log(0.66), np.log(1.22))))
    share = float(rng.uniform(0.5, 0.97))  # of the image's width that the arches take
    if rng.random() < 0.08:
        zoom, share = zoom * 1.25, share * 1.35
    squeeze = float(np.clip(share * width / (_ARCH * zoom * unit), 0.78, 1.5))
    spare = max(0.03, (width / unit - _ARCH * zoom * squeeze) / 2)  # beside the arches, in panoramic heights
    return replace(
        geometry,
        zoom=zoom,
        squeeze=squeeze,
        midline=width / 2 + unit * float(np.clip(rng.normal(0, 0.5), -1.1, 1.1)) * min(spare, 0.25),
        top=(height - unit) / 2 + unit * float(np.clip(rng.normal(0, 0.055), -0.14, 0.14)),
        turn=float(np.clip(rng.normal(0, 0.04), -0.12, 0.12)),
        bow=float(np.clip(rng.normal(-0.02, 0.16), -0.4, 0.36)),
        front=float(rng.uniform(-0.3, 0.3)),
        slant=float(np.clip(rng.normal(0, 0.08), -0.2, 0.2)),
    )


def mask_film(rng: np.random.Generator, image: NDArray[np.uint8]) -> Mask | None:
    """Blank the borders of the image (H, W) in place, on a third of the films; the pixels left, or None for all."""
    if rng.random() > 0.33:
        return None
    height, width = image.shape
    seen = np.zeros(image.shape, bool)
    top, bottom, left, right = (
        float(rng.uniform(0, 0.1)) if rng.random() < chance else 0.0 for chance in (0.3, 0.6, 0.35, 0.35)
    )
    rows = slice(round(top * height), height - round(bottom * height))
    columns = slice(round(left * width), width - round(right * width))
    seen[rows, columns] = True
    blank = int(rng.choice([0, 0, 0, 12, 255]))
    image[~seen] = blank
    return seen
